// Tables of names, and the object member by member.
#include "server/files/batch_record.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace strata::server {
namespace {

using frontend::ApiKind;

constexpr int64_t kMostNumber = int64_t{1} << 60;
constexpr size_t kMostMetadata = 16;
constexpr size_t kMostNameBytes = 64;
constexpr size_t kMostValueBytes = 512;

struct StatusNames {
  BatchStatus status;
  std::string_view name;
  std::string_view time;
};
constexpr StatusNames kStatuses[] = {
    {BatchStatus::kValidating, "validating", "created_at"},
    {BatchStatus::kInProgress, "in_progress", "in_progress_at"},
    {BatchStatus::kFinalizing, "finalizing", "finalizing_at"},
    {BatchStatus::kCompleted, "completed", "completed_at"},
    {BatchStatus::kFailed, "failed", "failed_at"},
    {BatchStatus::kCancelling, "cancelling", "cancelling_at"},
    {BatchStatus::kCancelled, "cancelled", "cancelled_at"},
    {BatchStatus::kExpired, "expired", "expired_at"},
};
static_assert(std::size(kStatuses) == kBatchStatuses);

struct Endpoint {
  std::string_view path;
  ApiKind kind;
};
constexpr Endpoint kEndpoints[] = {
    {"/v1/chat/completions", ApiKind::kChat},
    {"/v1/completions", ApiKind::kCompletion},
};

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json faults_json(const std::vector<BatchFault>& faults) {
  if (faults.empty()) return nullptr;
  Json data = Json::array();
  for (const BatchFault& fault : faults) {
    data.push_back({{"code", fault.code},
                    {"line", fault.line ? Json(*fault.line) : Json()},
                    {"message", fault.message},
                    {"param", nullptr}});
  }
  return {{"object", "list"}, {"data", std::move(data)}};
}

Result<std::vector<BatchFault>> read_faults(const Json& record) {
  std::vector<BatchFault> made;
  const Json* errors = TRY(optional_object(record, "errors"));
  if (errors == nullptr) return made;
  for (const Json& one : *TRY(get_array(*errors, "data"))) {
    BatchFault& fault = made.emplace_back();
    fault.code = TRY(get_string(one, "code"));
    fault.message = TRY(get_string(one, "message"));
    fault.line = TRY(optional_int(one, "line", 0, kMostNumber));
  }
  return made;
}

Result<Json> read_metadata(const Json& body) {
  const Json* given = TRY(optional_object(body, "metadata"));
  if (given == nullptr) return Json();
  if (given->size() > kMostMetadata) {
    return fail(Code::kInvalidData, "metadata", fmt::format("{} members", given->size()),
                fmt::format("at most {}", kMostMetadata));
  }
  for (const auto& [name, value] : given->items()) {
    if (!value.is_string() || name.size() > kMostNameBytes ||
        value.get_ref<const std::string&>().size() > kMostValueBytes) {
      return fail(Code::kInvalidData, "metadata", json_excerpt(name),
                  fmt::format("a name of at most {} bytes with a text of at most {}",
                              kMostNameBytes, kMostValueBytes));
    }
  }
  return *given;
}

}  // namespace

std::string_view status_name(BatchStatus status) {
  return kStatuses[static_cast<size_t>(status)].name;
}

bool BatchRecord::ended() const {
  return status == BatchStatus::kCompleted || status == BatchStatus::kFailed ||
         status == BatchStatus::kCancelled || status == BatchStatus::kExpired;
}

void BatchRecord::move_to(BatchStatus next, int64_t now_s) {
  status = next;
  at_s[static_cast<size_t>(next)] = now_s;
}

std::string_view endpoint_of(ApiKind kind) {
  return std::ranges::find(kEndpoints, kind, &Endpoint::kind)->path;
}

Result<ApiKind> kind_of_endpoint(const std::string& endpoint) {
  const auto* found = std::ranges::find(kEndpoints, endpoint, &Endpoint::path);
  if (found != std::end(kEndpoints)) return found->kind;
  return fail(Code::kUnsupported, "endpoint", json_excerpt(endpoint),
              "\"/v1/chat/completions\" or \"/v1/completions\"");
}

Json batch_json(const BatchRecord& batch) {
  Json made = {{"id", batch.id},
               {"object", "batch"},
               {"endpoint", endpoint_of(batch.kind)},
               {"errors", faults_json(batch.faults)},
               {"input_file_id", batch.input_file},
               {"completion_window", "24h"},
               {"status", status_name(batch.status)},
               {"output_file_id", batch.files_shown ? text_or_null(batch.output_file) : Json()},
               {"error_file_id", batch.files_shown ? text_or_null(batch.error_file) : Json()}};
  for (const StatusNames& one : kStatuses) {
    const int64_t at = batch.at_s[static_cast<size_t>(one.status)];
    made[std::string(one.time)] = at == 0 ? Json() : Json(at);
  }
  made["expires_at"] = batch.expires_s;
  made["request_counts"] = {
      {"total", batch.rows}, {"completed", batch.answered}, {"failed", batch.refused}};
  made["metadata"] = batch.metadata;
  return made;
}

Json batch_to_record(const BatchRecord& batch) {
  Json made = batch_json(batch);
  made["owner"] = batch.owner;
  made["output_file_id"] = text_or_null(batch.output_file);
  made["error_file_id"] = text_or_null(batch.error_file);
  made["files_shown"] = batch.files_shown;
  return made;
}

Result<BatchRecord> batch_from_record(const Json& record) {
  const std::string status = TRY(get_string(record, "status"));
  const auto* known = std::ranges::find(kStatuses, status, &StatusNames::name);
  if (known == std::end(kStatuses)) {
    return fail(Code::kInvalidData, "status", json_excerpt(status), "a batch's status");
  }
  const Json* metadata = TRY(optional_object(record, "metadata"));
  const Json* counts = TRY(get_object(record, "request_counts"));
  const std::string endpoint = TRY(get_string(record, "endpoint"));
  BatchRecord made{
      .id = TRY(get_string(record, "id")),
      .owner = TRY(get_string(record, "owner")),
      .kind = TRY(kind_of_endpoint(endpoint)),
      .input_file = TRY(get_string(record, "input_file_id")),
      .metadata = metadata == nullptr ? Json() : *metadata,
      .status = known->status,
      .expires_s = TRY(get_int(record, "expires_at", 0, kMostNumber)),
      .rows = TRY(get_int(*counts, "total", 0, kMostNumber)),
      .answered = TRY(get_int(*counts, "completed", 0, kMostNumber)),
      .refused = TRY(get_int(*counts, "failed", 0, kMostNumber)),
      .faults = TRY(read_faults(record)),
      .output_file = TRY(optional_string(record, "output_file_id")).value_or(""),
      .error_file = TRY(optional_string(record, "error_file_id")).value_or(""),
      .files_shown = TRY(get_bool(record, "files_shown")),
  };
  for (const StatusNames& one : kStatuses) {
    made.at_s[static_cast<size_t>(one.status)] =
        TRY(optional_int(record, one.time, 0, kMostNumber)).value_or(0);
  }
  return made;
}

Result<BatchRecord> read_batch_request(const Json& body) {
  BatchRecord made;
  made.input_file = TRY(get_string(body, "input_file_id"));
  const std::string endpoint = TRY(get_string(body, "endpoint"));
  made.kind = TRY(kind_of_endpoint(endpoint));
  const std::string window = TRY(get_string(body, "completion_window"));
  if (window != "24h") {
    return fail(Code::kUnsupported, "completion_window", json_excerpt(window), "\"24h\"");
  }
  const Json* expiry = find_member(body, "output_expires_after");
  if (expiry != nullptr && !expiry->is_null()) {
    return fail(Code::kUnsupported, "output_expires_after", {}, {},
                "delete files by DELETE /v1/files/ID");
  }
  made.metadata = TRY(read_metadata(body));
  return made;
}

}  // namespace strata::server
