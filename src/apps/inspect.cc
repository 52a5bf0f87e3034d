// Binds a model's documents and tensor headers and prints what came of it.
#include "apps/inspect.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "engine/opened_model.h"
#include "kernels/kernel_table.h"
#include "memory/account.h"
#include "model/weights.h"

namespace strata::apps {
namespace {

using memory::format_bytes;

struct Inspection {
  const engine::OpenedModel& opened;
  model::KvLayout kv;
  kernels::KernelTable table;

  const model::WeightPlan& plan() const { return opened.expanded_plan(); }
  bool has_tokenizer() const { return opened.documents().tokenizer.has_value(); }
  size_t chat_templates() const { return opened.documents().chat_templates.size(); }
  const checkpoint::PackFile* pack() const { return opened.files().pack; }
  int64_t file_bytes() const {
    return static_cast<int64_t>(pack() != nullptr ? pack()->file().size()
                                                  : opened.files().checkpoint->total_bytes());
  }
};

struct PartBytes {
  std::string_view name;
  int64_t bytes = 0;
};

// Bytes in memory by what they are for: matrices in compute layout, padding included; vectors in
// f32.
std::array<PartBytes, 5> bytes_by_part(const model::WeightPlan& plan) {
  std::array<PartBytes, 5> parts{
      {{"embedding", 0}, {"head", 0}, {"attention", 0}, {"mlp", 0}, {"norms and biases", 0}}};
  for (const auto& item : plan.items) {
    const model::TensorSpec& spec = *item.spec;
    if (!spec.is_matrix()) {
      parts[4].bytes += spec.rows * 4;
      continue;
    }
    const int64_t bytes =
        tensor::packed_elements(spec.rows, spec.cols) * tensor::element_bytes(plan.kind);
    using enum model::TensorRole;
    switch (spec.role) {
      case kEmbedding:
        parts[0].bytes += bytes;
        break;
      case kHead:
        parts[1].bytes += bytes;
        break;
      case kGate:
      case kUp:
      case kDown:
        parts[3].bytes += bytes;
        break;
      default:
        parts[2].bytes += bytes;
    }
  }
  return parts;
}

std::vector<std::pair<std::string_view, kernels::Isa>> chosen_kernels(const Inspection& found) {
  const auto kind = static_cast<size_t>(found.plan().kind);
  const kernels::KernelTable& table = found.table;
  return {{"linear", table.linear[kind].isa},
          {"attention", table.attention[kind].isa},
          {"kv_write", table.kv_write[kind].isa},
          {"rms_norm", table.rms_norm[kind].isa},
          {"head_norm", table.head_norm.isa},
          {"rope", table.rope.isa},
          {"query_operand", table.query_operand[kind].isa},
          {"silu_mul", table.silu_mul[kind].isa},
          {"embed", table.embed[kind].isa},
          {"log_softmax", table.log_softmax.isa}};
}

std::string attention_line(const model::AttentionSpec& attention) {
  std::string line = fmt::format("{} query heads, {} key/value heads of {}", attention.q_heads,
                                 attention.kv_heads, attention.head_dim);
  if (attention.qkv_bias) line += ", qkv bias";
  if (attention.out_bias) line += ", output bias";
  if (attention.qk_norm) line += ", q and k norms";
  return line;
}

std::string rope_line(const model::RopeSpec& rope) {
  std::string line = fmt::format("{}, theta {:g}, {} columns", model::rope_kind_name(rope.kind),
                                 rope.theta, rope.rotary_dim);
  if (rope.kind != model::RopeKind::kDefault) line += fmt::format(", factor {:g}", rope.factor);
  return line;
}

void print_row(std::string_view name, const std::string& text) {
  fmt::print("{:<17} {}\n", name, text);
}

void print_spec(const Inspection& found) {
  const model::ModelSpec& spec = found.opened.spec();
  print_row("model", found.opened.source().name + (found.opened.source().revision.empty()
                                                       ? ""
                                                       : " at " + found.opened.source().revision));
  print_row("family", fmt::format("{} ({})", spec.family, found.opened.config().architecture));
  print_row("parameters",
            fmt::format("{:.3f} billion", double(model::parameter_count(spec)) / 1e9));
  print_row("layers", fmt::format("{}, hidden {}, intermediate {}", spec.layers.size(), spec.hidden,
                                  spec.layers.front().mlp.intermediate));
  print_row("attention", attention_line(spec.layers.front().attention));
  for (const model::RopeSpec& rope : spec.ropes) print_row("rope", rope_line(rope));
  print_row("vocabulary",
            fmt::format("{}{}", spec.vocab,
                        found.plan().tied_head ? ", head tied to the embedding" : ""));
  print_row("context", fmt::format("{} tokens", spec.max_position));
  print_row("text", found.has_tokenizer()
                        ? fmt::format("tokenizer, {} chat template(s)", found.chat_templates())
                        : std::string("no tokenizer: works with ids only"));
}

std::string files_line(const Inspection& found) {
  const std::string bytes = format_bytes(found.file_bytes());
  if (found.pack() == nullptr) {
    return fmt::format("{} of safetensors, {} of tensors",
                       found.opened.files().checkpoint->file_count(), bytes);
  }
  return fmt::format("a pack of {}, {} units at multiples of {} KiB", bytes,
                     found.pack()->units().size(), found.pack()->contents().alignment / 1024);
}

// What a pack says of itself; null for a folder.
Json pack_json(const Inspection& found) {
  if (found.pack() == nullptr) return nullptr;
  const checkpoint::PackContents& contents = found.pack()->contents();
  return {{"version", checkpoint::kPackVersion},
          {"layout", contents.layout},
          {"numerics", contents.numerics},
          {"tensor_parallel", contents.tensor_parallel},
          {"fingerprint", fmt::format("{:016x}", contents.fingerprint)},
          {"alignment", contents.alignment},
          {"units", contents.units.size()}};
}

void print_bytes(const Inspection& found) {
  print_row("files", files_line(found));
  print_row("weights", fmt::format("{} as {}", format_bytes(found.plan().memory_bytes),
                                   tensor::product_kind_name(found.plan().kind)));
  for (const PartBytes& part : bytes_by_part(found.plan())) {
    if (part.bytes != 0) print_row("", fmt::format("{} {}", part.name, format_bytes(part.bytes)));
  }
  for (size_t g = 0; g < found.kv.groups.size(); g++) {
    const model::KvGroupSpec& group = found.kv.groups[g];
    print_row(fmt::format("kv group {}", g),
              fmt::format("{} layers, {}, {} a token, {} a block of {}", group.layers.size(),
                          group.window == 0 ? "all tokens" : fmt::format("window {}", group.window),
                          format_bytes(group.bytes_per_token()), format_bytes(group.block_bytes()),
                          group.shape.block_tokens));
  }
}

void print_text(const Inspection& found) {
  print_spec(found);
  print_bytes(found);
  std::string kernels_line;
  for (const auto& [op, isa] : chosen_kernels(found)) {
    kernels_line +=
        fmt::format("{}{} {}", kernels_line.empty() ? "" : ", ", op, kernels::isa_name(isa));
  }
  print_row("kernels", kernels_line);
}

Json to_json(const Inspection& found) {
  const model::ModelSpec& spec = found.opened.spec();
  const model::AttentionSpec& attention = spec.layers.front().attention;
  Json groups = Json::array();
  for (const model::KvGroupSpec& group : found.kv.groups) {
    groups.push_back({{"layers", group.layers.size()},
                      {"window", group.window},
                      {"bytes_per_token", group.bytes_per_token()},
                      {"block_tokens", group.shape.block_tokens},
                      {"block_bytes", group.block_bytes()}});
  }
  Json parts = Json::object();
  for (const PartBytes& part : bytes_by_part(found.plan()))
    parts[std::string(part.name)] = part.bytes;
  Json chosen = Json::object();
  for (const auto& [op, isa] : chosen_kernels(found))
    chosen[std::string(op)] = std::string(kernels::isa_name(isa));
  Json ropes = Json::array();
  for (const model::RopeSpec& rope : spec.ropes) {
    ropes.push_back({{"kind", std::string(model::rope_kind_name(rope.kind))},
                     {"theta", rope.theta},
                     {"rotary_dim", rope.rotary_dim},
                     {"factor", rope.factor}});
  }
  return Json{{"model", found.opened.source().name},
              {"revision", found.opened.source().revision},
              {"family", spec.family},
              {"architecture", found.opened.config().architecture},
              {"parameters", model::parameter_count(spec)},
              {"layers", spec.layers.size()},
              {"hidden", spec.hidden},
              {"intermediate", spec.layers.front().mlp.intermediate},
              {"q_heads", attention.q_heads},
              {"kv_heads", attention.kv_heads},
              {"head_dim", attention.head_dim},
              {"rope", ropes},
              {"vocab", spec.vocab},
              {"tied_head", found.plan().tied_head},
              {"max_position", spec.max_position},
              {"format", std::string(tensor::product_kind_name(found.plan().kind))},
              {"file_bytes", found.file_bytes()},
              {"pack", pack_json(found)},
              {"weight_bytes", found.plan().memory_bytes},
              {"weight_bytes_by_part", parts},
              {"kv_groups", groups},
              {"kernels", chosen},
              {"tokenizer", found.has_tokenizer()},
              {"chat_templates", found.chat_templates()},
              {"warnings", found.opened.warnings()}};
}

Result<kernels::KernelTable> table_for(const std::string& isa) {
  const auto available = kernels::available_isas();
  return kernels::make_cpu_kernel_table(isa == "auto" ? available.back()
                                                      : TRY(kernels::parse_isa(isa)));
}

}  // namespace

Result<void> run_inspect(Env& env, const InspectArgs& args) {
  const auto dtype = TRY(model::parse_weight_dtype(args.dtype));
  const auto opened = TRY(engine::OpenedModel::open(env, args.model, args.revision, dtype));
  const Inspection found{*opened, model::make_kv_layout(opened->spec(), opened->plan().kind),
                         TRY(table_for(args.isa))};
  for (const std::string& warning : opened->warnings())
    fmt::print(stderr, "warning: {}\n", warning);
  if (args.json) {
    fmt::print("{}\n", to_json(found).dump(2));
  } else {
    print_text(found);
  }
  return {};
}

}  // namespace strata::apps
