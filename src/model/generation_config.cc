// generation_config.json: stop ids and the sampling that the model's makers recommend. Keys that
// Strata does not offer are named once where they would change the text.
#include <fmt/format.h>

#include <array>

#include "model/config.h"
#include "model/config_reader.h"

namespace strata::model {
namespace {

constexpr std::string_view kFile = "generation_config.json";
constexpr NumberRange kTemperature{.min = 0, .max = 100};
constexpr NumberRange kFraction{.min = 0, .max = 1};

struct NeutralNumber {
  const char* key;
  double value;  // at which it does nothing
};

// What would change the text if it were obeyed, and the value at which it would not.
constexpr std::array kNotOffered = {NeutralNumber{"repetition_penalty", 1},
                                    NeutralNumber{"typical_p", 1},
                                    NeutralNumber{"epsilon_cutoff", 0},
                                    NeutralNumber{"eta_cutoff", 0},
                                    NeutralNumber{"length_penalty", 1},
                                    NeutralNumber{"no_repeat_ngram_size", 0},
                                    NeutralNumber{"num_beams", 1},
                                    NeutralNumber{"penalty_alpha", 0},
                                    NeutralNumber{"top_h", 0}};

Result<void> warn_not_offered(const ConfigReader& reader, std::vector<std::string>& warnings) {
  for (const NeutralNumber& row : kNotOffered) {
    if (!reader.has_value(row.key)) continue;
    const double value = TRY(reader.number(row.key, row.value, {.min = -1e9, .max = 1e9}));
    if (value != row.value)
      warnings.push_back(
          fmt::format("{}: {} = {} is not offered yet: ignored", kFile, row.key, value));
  }
  return {};
}

// Lengths are the caller's; a file's are read only to be checked.
Result<void> check_lengths(const ConfigReader& reader, int64_t max_position,
                           std::vector<std::string>& warnings) {
  for (const char* key : {"max_length", "max_new_tokens"}) {
    const auto length = TRY(reader.nullable_integer(key, 1, std::numeric_limits<int64_t>::max()));
    if (length && *length > max_position) {
      warnings.push_back(fmt::format("{}: {} = {} ignored: the model has {} positions", kFile, key,
                                     *length, max_position));
    }
  }
  return {};
}

Result<void> read_sampling(const ConfigReader& reader, GenerationDefaults& out) {
  if (reader.has_value("do_sample")) out.do_sample = TRY(reader.flag("do_sample", false));
  out.temperature = TRY(reader.nullable_number("temperature", kTemperature));
  out.top_k = TRY(reader.nullable_integer("top_k", 0, int64_t{1} << 31));
  out.top_p = TRY(reader.nullable_number("top_p", kFraction));
  out.min_p = TRY(reader.nullable_number("min_p", kFraction));
  return {};
}

Result<std::optional<int64_t>> read_id(const ConfigReader& reader, std::string_view key,
                                       int64_t vocab, std::vector<std::string>& warnings) {
  const auto ids = TRY(reader.token_ids(key, vocab, warnings));
  return ids.empty() ? std::nullopt : std::optional(ids.front());
}

}  // namespace

Result<GenerationDefaults> parse_generation_config(std::optional<std::string_view> text,
                                                   const ModelConfig& config) {
  GenerationDefaults out;
  out.eos_ids = config.eos_ids;
  out.bos_id = config.bos_id;
  if (!text) return out;
  const Json document = TRY(parse_json(*text, kFile));
  if (!document.is_object()) {
    return fail(Code::kInvalidData, std::string(kFile), json_excerpt(document), "a JSON object");
  }
  const ConfigReader reader(document, std::string(kFile));
  const int64_t vocab = config.spec.vocab;
  if (reader.has_value("eos_token_id"))
    out.eos_ids = TRY(reader.token_ids("eos_token_id", vocab, out.warnings));
  if (reader.has_value("bos_token_id"))
    out.bos_id = TRY(read_id(reader, "bos_token_id", vocab, out.warnings));
  out.pad_id = TRY(read_id(reader, "pad_token_id", vocab, out.warnings));
  TRY(read_sampling(reader, out));
  TRY(check_lengths(reader, config.spec.max_position, out.warnings));
  TRY(warn_not_offered(reader, out.warnings));
  return out;
}

}  // namespace strata::model
