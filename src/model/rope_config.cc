// See rope_config.h. Keys, fallbacks and precedence follow Transformers 5 (modeling_rope_utils);
// where two places of one file contradict each other the file is refused.
#include "model/rope_config.h"

#include <fmt/format.h>

#include <array>

namespace strata::model {
namespace {

// float32 powers of theta and their inverses stay finite and normal up to here.
constexpr NumberRange kThetaRange{.min = 1, .max = 1e15, .open = true};
constexpr NumberRange kFactorRange{.min = 0, .max = 1e6, .open = true};
constexpr NumberRange kBetaRange{.min = 0, .max = 1e6};
constexpr int64_t kMaxPosition = 1 << 24;

struct KindName {
  std::string_view name;
  RopeKind kind;
};

constexpr std::array kKinds = {
    KindName{"default", RopeKind::kDefault}, KindName{"linear", RopeKind::kLinear},
    KindName{"llama3", RopeKind::kLlama3}, KindName{"yarn", RopeKind::kYarn},
    KindName{"dynamic", RopeKind::kDynamic}};

Result<RopeKind> parse_kind(const ConfigReader& section) {
  std::string name = "default";
  if (section.has_value("rope_type")) {
    name = TRY(section.text("rope_type", name));
  } else if (section.has_value("type")) {
    name = TRY(section.text("type", name));
  }
  for (const KindName& row : kKinds) {
    if (row.name == name) return row.kind;
  }
  return fail(Code::kUnsupported,
              fmt::format("{}: rope_type is not supported yet", section.where()), name,
              "default, linear, llama3, yarn or dynamic");
}

// The object that holds the scaling: rope_scaling comes first, as in Transformers; an empty one
// counts as absent.
Result<std::optional<ConfigReader>> find_section(const ConfigReader& reader) {
  auto old_form = TRY(reader.nested("rope_scaling"));
  auto new_form = TRY(reader.nested("rope_parameters"));
  if (old_form && old_form->object().empty()) old_form.reset();
  if (new_form && new_form->object().empty()) new_form.reset();
  if (old_form && new_form && old_form->object() != new_form->object()) {
    return reader.bad(
        "rope_scaling", json_excerpt(old_form->object()),
        fmt::format("the same as rope_parameters = {}", json_excerpt(new_form->object())));
  }
  return old_form ? old_form : new_form;
}

Result<void> refuse_unsupported(const ConfigReader& reader) {
  for (const char* key : {"full_attention", "sliding_attention"}) {
    if (!reader.has(key)) continue;
    return fail(
        Code::kUnsupported,
        fmt::format("{}: RoPE parameters by layer type are not supported yet", reader.where()), key,
        "one set for all layers");
  }
  const double partial =
      TRY(reader.nullable_number("partial_rotary_factor", {.min = 0, .max = 1})).value_or(1);
  if (partial == 1) return {};
  return fail(Code::kUnsupported,
              fmt::format("{}: partial_rotary_factor is not supported yet", reader.where()),
              fmt::format("{}", partial), "1");
}

Result<double> read_theta(const ConfigReader& reader, const std::optional<ConfigReader>& section) {
  const double outer = TRY(reader.number("rope_theta", 10000, kThetaRange));
  if (!section || !section->has_value("rope_theta")) return outer;
  const double inner = TRY(section->number("rope_theta", 10000, kThetaRange));
  if (reader.has("rope_theta") && inner != outer) {
    return section->bad("rope_theta", fmt::format("{}", inner),
                        fmt::format("{}, as outside it", outer));
  }
  return inner;
}

Result<double> required_factor(const ConfigReader& section, std::string_view key) {
  if (section.has(key)) return section.number(key, 0, kFactorRange);
  return section.bad(key, "nothing", "a number above 0");
}

// Where the model learned its positions: beside the scaling first (Phi's way), then inside it, then
// the whole length.
Result<int64_t> read_original(const ConfigReader& reader, const ConfigReader& section,
                              int64_t max_position) {
  constexpr std::string_view kKey = "original_max_position_embeddings";
  if (reader.has(kKey)) return reader.integer(kKey, max_position, 1, kMaxPosition);
  return section.integer(kKey, max_position, 1, kMaxPosition);
}

Result<void> read_llama3(const ConfigReader& reader, const ConfigReader& section,
                         int64_t max_position, RopeSpec& rope) {
  rope.factor = TRY(required_factor(section, "factor"));
  rope.low_freq_factor = TRY(required_factor(section, "low_freq_factor"));
  rope.high_freq_factor = TRY(required_factor(section, "high_freq_factor"));
  rope.original_max_position = TRY(read_original(reader, section, max_position));
  if (rope.high_freq_factor > rope.low_freq_factor) return {};
  return section.bad("high_freq_factor", fmt::format("{}", rope.high_freq_factor),
                     fmt::format("above low_freq_factor = {}", rope.low_freq_factor));
}

Result<void> read_yarn(const ConfigReader& reader, const ConfigReader& section,
                       int64_t max_position, RopeSpec& rope) {
  rope.original_max_position = TRY(read_original(reader, section, max_position));
  // An explicit null means: the ratio of the two lengths.
  if (section.has("factor") && !section.has_value("factor")) {
    rope.factor =
        static_cast<double>(max_position) / static_cast<double>(rope.original_max_position);
  } else {
    rope.factor = TRY(required_factor(section, "factor"));
  }
  rope.attention_factor =
      TRY(section.nullable_number("attention_factor", kFactorRange)).value_or(0);
  rope.mscale = TRY(section.nullable_number("mscale", kBetaRange)).value_or(0);
  rope.mscale_all_dim = TRY(section.nullable_number("mscale_all_dim", kBetaRange)).value_or(0);
  const double fast = TRY(section.nullable_number("beta_fast", kBetaRange)).value_or(0);
  const double slow = TRY(section.nullable_number("beta_slow", kBetaRange)).value_or(0);
  if (fast != 0) rope.beta_fast = fast;  // 0 counts as absent
  if (slow != 0) rope.beta_slow = slow;
  rope.truncate = TRY(section.flag("truncate", true));
  if (rope.beta_fast >= rope.beta_slow) return {};
  return section.bad("beta_fast", fmt::format("{}", rope.beta_fast),
                     fmt::format("at least beta_slow = {}", rope.beta_slow));
}

Result<void> read_dynamic(const ConfigReader& section, int64_t max_position, RopeSpec& rope) {
  rope.factor = TRY(required_factor(section, "factor"));
  rope.original_max_position = max_position;
  if (rope.rotary_dim > 2) return {};
  return section.bad("rope_type", "dynamic", "another type for head_dim = 2");
}

}  // namespace

Result<RopeSpec> read_rope(const ConfigReader& reader, int64_t head_dim, int64_t max_position) {
  RopeSpec rope;
  rope.rotary_dim = head_dim;
  const auto section = TRY(find_section(reader));
  TRY(refuse_unsupported(reader));
  if (section) TRY(refuse_unsupported(*section));
  rope.theta = TRY(read_theta(reader, section));
  if (!section) return rope;
  rope.kind = TRY(parse_kind(*section));
  switch (rope.kind) {
    case RopeKind::kDefault:
      break;
    case RopeKind::kLinear:
      rope.factor = TRY(required_factor(*section, "factor"));
      break;
    case RopeKind::kLlama3:
      TRY(read_llama3(reader, *section, max_position, rope));
      break;
    case RopeKind::kYarn:
      TRY(read_yarn(reader, *section, max_position, rope));
      break;
    case RopeKind::kDynamic:
      TRY(read_dynamic(*section, max_position, rope));
      break;
  }
  return rope;
}

}  // namespace strata::model
