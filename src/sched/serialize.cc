// One reader and one writer per value, field by field.
#include "sched/serialize.h"

#include <fmt/core.h>

#include <charconv>
#include <limits>
#include <vector>

namespace strata::sched {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMaxToken = std::numeric_limits<int32_t>::max();

template <class T, class Write>
Json write_list(const std::vector<T>& values, Write write) {
  Json list = Json::array();
  for (const T& item : values) list.push_back(write(item));
  return list;
}

template <class T, class Read>
Result<std::vector<T>> read_list(const Json& object, std::string_view key, Read read) {
  std::vector<T> values;
  for (const Json& item : *TRY(get_array(object, key))) {
    auto parsed = read(item);
    if (!parsed) return std::unexpected(std::move(parsed).error().with_context(key));
    values.push_back(std::move(*parsed));
  }
  return values;
}

template <class Id>
Result<Id> read_id(const Json& object, std::string_view key) {
  return static_cast<Id>(TRY(get_int(object, key, 0, kMax)));
}

Json write_hash(const BlockHash& hash) {
  return fmt::format("{:016x}{:016x}", hash.high, hash.low);
}

Result<uint64_t> parse_hex(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return fail(Code::kInvalidData, "block hash", std::string(text), "hexadecimal digits");
}

Result<BlockHash> read_hash(const Json& json) {
  if (!json.is_string() || json.get_ref<const std::string&>().size() != 32) {
    return fail(Code::kInvalidData, "block hash", json_excerpt(json), "32 hexadecimal digits");
  }
  const std::string_view text = json.get_ref<const std::string&>();
  BlockHash hash;
  hash.high = TRY(parse_hex(text.substr(0, 16)));
  hash.low = TRY(parse_hex(text.substr(16)));
  return hash;
}

Json write_request(const Request& request) {
  return {{"id", value(request.id)},
          {"prompt_tokens", request.prompt_tokens},
          {"max_tokens", request.max_tokens},
          {"priority", request.priority},
          {"key", request.key},
          {"sequences", request.sequences},
          {"all_logits", request.all_logits},
          {"block_hashes", write_list(request.block_hashes, write_hash)}};
}

Result<Request> read_request(const Json& json) {
  Request request;
  request.id = TRY(read_id<RequestId>(json, "id"));
  request.prompt_tokens = TRY(get_int(json, "prompt_tokens", 1, kMaxToken));
  request.max_tokens = TRY(get_int(json, "max_tokens", 1, kMaxToken));
  request.priority = static_cast<int32_t>(TRY(get_int(json, "priority", -kMaxToken, kMaxToken)));
  request.key = TRY(get_int(json, "key", 0, kMax));
  request.sequences = TRY(get_int(json, "sequences", 1, kMaxSequencesOfRequest));
  request.all_logits = TRY(get_bool(json, "all_logits"));
  request.block_hashes = TRY(read_list<BlockHash>(json, "block_hashes", read_hash));
  return request;
}

Result<FinishReason> parse_finish_reason(const std::string& name) {
  for (const FinishReason reason :
       {FinishReason::kStop, FinishReason::kLength, FinishReason::kCancelled}) {
    if (finish_reason_name(reason) == name) return reason;
  }
  return fail(Code::kInvalidData, "finished", name, "stop, length or cancelled");
}

Json write_sequence_result(const SequenceResult& result) {
  Json json = {{"sequence", value(result.sequence)},
               {"tokens", result.tokens},
               {"drafts", result.drafts},
               {"block_hashes", write_list(result.block_hashes, write_hash)}};
  if (result.finished) json["finished"] = finish_reason_name(*result.finished);
  return json;
}

Result<SequenceResult> read_sequence_result(const Json& json) {
  SequenceResult result;
  result.sequence = TRY(read_id<SequenceId>(json, "sequence"));
  for (const int64_t token : TRY(get_int_array(json, "tokens", 0, kMaxToken))) {
    result.tokens.push_back(static_cast<int32_t>(token));
  }
  if (const auto name = TRY(optional_string(json, "finished"))) {
    result.finished = TRY(parse_finish_reason(*name));
  }
  result.block_hashes = TRY(read_list<BlockHash>(json, "block_hashes", read_hash));
  result.drafts = TRY(get_int(json, "drafts", 0, kMaxToken));
  return result;
}

Json write_place(const BlockPlace& place) {
  return {{"group", place.group}, {"block", value(place.block)}, {"frame", place.frame}};
}

Result<int> read_group(const Json& json) {
  return static_cast<int>(TRY(get_int(json, "group", 0, kMaxToken)));
}

Result<BlockPlace> read_place(const Json& json) {
  BlockPlace place;
  place.group = TRY(read_group(json));
  place.block = TRY(read_id<BlockId>(json, "block"));
  place.frame = TRY(get_int(json, "frame", 0, kMax));
  return place;
}

Json write_copy(const BlockCopy& copy) {
  return {{"group", copy.group}, {"from_frame", copy.from_frame}, {"to_frame", copy.to_frame}};
}

Result<BlockCopy> read_copy(const Json& json) {
  BlockCopy copy;
  copy.group = TRY(read_group(json));
  copy.from_frame = TRY(get_int(json, "from_frame", 0, kMax));
  copy.to_frame = TRY(get_int(json, "to_frame", 0, kMax));
  return copy;
}

Json write_admission(const Admission& admission) {
  return {{"request", value(admission.request)},
          {"sequence", value(admission.sequence)},
          {"choice", admission.choice}};
}

Result<Admission> read_admission(const Json& json) {
  Admission admission;
  admission.request = TRY(read_id<RequestId>(json, "request"));
  admission.sequence = TRY(read_id<SequenceId>(json, "sequence"));
  admission.choice = TRY(get_int(json, "choice", 0, kMaxSequencesOfRequest - 1));
  return admission;
}

Json write_refusal(const Refusal& refusal) {
  return {{"request", value(refusal.request)},
          {"needed_blocks", refusal.needed_blocks},
          {"pool_blocks", refusal.pool_blocks}};
}

Result<Refusal> read_refusal(const Json& json) {
  Refusal refusal;
  refusal.request = TRY(read_id<RequestId>(json, "request"));
  refusal.needed_blocks = TRY(get_int(json, "needed_blocks", 0, kMax));
  refusal.pool_blocks = TRY(get_int(json, "pool_blocks", 0, kMax));
  return refusal;
}

Json write_step(const SequenceStep& step) {
  return {{"sequence", value(step.sequence)},
          {"first_position", step.first_position},
          {"rows", step.rows},
          {"yields_token", step.yields_token},
          {"all_logits", step.all_logits},
          {"drafts", step.drafts},
          {"frames", step.frames}};
}

Result<std::vector<int64_t>> read_frames(const Json& list) {
  if (!list.is_array()) return fail(Code::kInvalidData, "frames", json_excerpt(list), "an array");
  std::vector<int64_t> frames;
  for (const Json& frame : list) {
    if (!frame.is_number_integer() || frame < -1) {
      return fail(Code::kInvalidData, "frame", json_excerpt(frame), "an integer >= -1");
    }
    frames.push_back(frame.get<int64_t>());
  }
  return frames;
}

Result<SequenceStep> read_step(const Json& json) {
  SequenceStep step;
  step.sequence = TRY(read_id<SequenceId>(json, "sequence"));
  step.first_position = TRY(get_int(json, "first_position", 0, kMaxToken));
  step.rows = TRY(get_int(json, "rows", 1, kMaxToken));
  step.yields_token = TRY(get_bool(json, "yields_token"));
  step.all_logits = TRY(get_bool(json, "all_logits"));
  step.drafts = TRY(get_int(json, "drafts", 0, step.rows - 1));
  step.frames = TRY(read_list<std::vector<int64_t>>(json, "frames", read_frames));
  return step;
}

template <class Id>
Json write_ids(const std::vector<Id>& ids) {
  return write_list(ids, [](Id id) { return Json(value(id)); });
}

template <class Id>
Result<std::vector<Id>> read_ids(const Json& object, std::string_view key) {
  std::vector<Id> ids;
  for (const int64_t id : TRY(get_int_array(object, key, 0, kMax))) {
    ids.push_back(static_cast<Id>(id));
  }
  return ids;
}

}  // namespace

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

Json to_json(const StepResult& result) {
  Json json = {{"plan", value(result.plan)},
               {"sequences", write_list(result.sequences, write_sequence_result)}};
  if (result.failed) json["failed"] = true;
  return json;
}

Result<StepResult> step_result_from_json(const Json& json) {
  StepResult result;
  result.plan = TRY(read_id<PlanId>(json, "plan"));
  result.sequences = TRY(read_list<SequenceResult>(json, "sequences", read_sequence_result));
  result.failed = TRY(optional_bool(json, "failed")).value_or(false);
  return result;
}

Json to_json(const StepInput& input) {
  Json json = {
      {"now_us", input.now_us},
      {"arrivals", write_list(input.arrivals, write_request)},
      {"cancels", write_ids(input.cancels)},
      {"completions",
       write_list(input.completions, [](const StepResult& result) { return to_json(result); })},
      {"step_us", input.prices.step_us},
      {"row_us", input.prices.row_us}};
  if (input.slab_limit) json["slab_limit"] = *input.slab_limit;
  return json;
}

Result<StepInput> step_input_from_json(const Json& json) {
  StepInput input;
  input.now_us = TRY(get_int(json, "now_us", 0, kMax));
  input.arrivals = TRY(read_list<Request>(json, "arrivals", read_request));
  input.cancels = TRY(read_ids<RequestId>(json, "cancels"));
  input.completions = TRY(read_list<StepResult>(json, "completions", step_result_from_json));
  input.prices.step_us = TRY(get_double(json, "step_us", 0));
  input.prices.row_us = TRY(get_double(json, "row_us", 0));
  input.slab_limit = TRY(optional_int(json, "slab_limit", 1, kMax));
  return input;
}

Json to_json(const StepPlan& plan) {
  return {{"id", value(plan.id)},
          {"now_us", plan.now_us},
          {"predicted_us", plan.predicted_us},
          {"admitted", write_list(plan.admitted, write_admission)},
          {"refused", write_list(plan.refused, write_refusal)},
          {"cancelled", write_ids(plan.cancelled)},
          {"preempted", write_ids(plan.preempted)},
          {"freed", write_list(plan.freed, write_place)},
          {"allocated", write_list(plan.allocated, write_place)},
          {"copies", write_list(plan.copies, write_copy)},
          {"sequences", write_list(plan.sequences, write_step)}};
}

Result<StepPlan> step_plan_from_json(const Json& json) {
  StepPlan plan;
  plan.id = TRY(read_id<PlanId>(json, "id"));
  plan.now_us = TRY(get_int(json, "now_us", 0, kMax));
  plan.predicted_us = TRY(get_double(json, "predicted_us", 0));
  plan.admitted = TRY(read_list<Admission>(json, "admitted", read_admission));
  plan.refused = TRY(read_list<Refusal>(json, "refused", read_refusal));
  plan.cancelled = TRY(read_ids<RequestId>(json, "cancelled"));
  plan.preempted = TRY(read_ids<SequenceId>(json, "preempted"));
  plan.freed = TRY(read_list<BlockPlace>(json, "freed", read_place));
  plan.allocated = TRY(read_list<BlockPlace>(json, "allocated", read_place));
  plan.copies = TRY(read_list<BlockCopy>(json, "copies", read_copy));
  plan.sequences = TRY(read_list<SequenceStep>(json, "sequences", read_step));
  return plan;
}

std::string describe(const StepPlan& plan) {
  std::string text =
      fmt::format("plan {}: {} rows ({} admitted, {} preempted, {} blocks taken, {} freed)",
                  value(plan.id), plan.rows(), plan.admitted.size(), plan.preempted.size(),
                  plan.allocated.size(), plan.freed.size());
  for (const SequenceStep& step : plan.sequences) {
    text += fmt::format("; {}@{}+{}{}", value(step.sequence), step.first_position, step.rows,
                        step.yields_token ? "*" : "");
    if (step.drafts > 0) text += fmt::format("~{}", step.drafts);
  }
  return text;
}

}  // namespace strata::sched
