// The list, and its two readers.
#include "frontend/sampling_fields.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

#include "base/log.h"
#include "base/random.h"
#include "frontend/structured.h"

namespace strata::frontend {
namespace {

constexpr int64_t kMaxId = std::numeric_limits<int32_t>::max();
constexpr double kMaxSeed = 9007199254740992.0;
constexpr double kMaxTokens = 1 << 24;

constexpr ConfigField kFields[] = {
    {.name = "max-tokens",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .unit = "tokens",
     .min = 1,
     .max = kMaxTokens,
     .help = "most tokens to generate; auto is 512, or what the context length leaves"},
    {.name = "min-tokens",
     .kind = FieldKind::kInteger,
     .fallback = "0",
     .unit = "tokens",
     .min = 0,
     .max = kMaxTokens,
     .help = "no end token and no stop counts within so many tokens"},
    {.name = "ignore-eos",
     .kind = FieldKind::kSwitch,
     .help = "go on after an end token of the model until max-tokens"},
    {.name = "stop",
     .unit = "TEXT/LIST",
     .help = "end before this text; for several a JSON list: [\"one\", \"two\"]"},
    {.name = "stop-token-ids", .unit = "LIST", .help = "end with one of these ids: [13, 198]"},
    {.name = "include-stop-str-in-output",
     .kind = FieldKind::kSwitch,
     .help = "the text that ended the answer belongs to it"},
    {.name = "temperature",
     .kind = FieldKind::kNumber,
     .fallback = "model",
     .min = 0,
     .max = 100,
     .help = "0 takes the likeliest token; model is what generation_config.json says, 0 where it "
             "does not sample"},
    {.name = "top-k",
     .kind = FieldKind::kInteger,
     .fallback = "model",
     .unit = "tokens",
     .min = -1,
     .max = kMaxTokens,
     .help = "draw from the k likeliest; 0 and -1 are all"},
    {.name = "top-p",
     .kind = FieldKind::kNumber,
     .fallback = "model",
     .min = 0,
     .max = 1,
     .help = "draw from the fewest that hold this share"},
    {.name = "min-p",
     .kind = FieldKind::kNumber,
     .fallback = "model",
     .min = 0,
     .max = 1,
     .help = "draw from those at least this likely relative to the likeliest"},
    {.name = "typical-p",
     .kind = FieldKind::kNumber,
     .fallback = "1",
     .min = 0,
     .max = 1,
     .help = "draw from the fewest of most expected surprise that hold this share"},
    {.name = "repetition-penalty",
     .kind = FieldKind::kNumber,
     .fallback = "1",
     .min = 1e-6,
     .max = 1e6,
     .help =
         "divides the logits (multiplies negative ones) of tokens of the prompt and the answer"},
    {.name = "presence-penalty",
     .kind = FieldKind::kNumber,
     .fallback = "0",
     .min = -2,
     .max = 2,
     .help = "taken from the logits of tokens of the answer"},
    {.name = "frequency-penalty",
     .kind = FieldKind::kNumber,
     .fallback = "0",
     .min = -2,
     .max = 2,
     .help = "taken from the logits of tokens of the answer, once for each time"},
    {.name = "logit-bias",
     .unit = "OBJECT",
     .help = "added to logits, -100 to 100: {\"50\": -100, \"262\": 5}"},
    {.name = "allowed-token-ids", .unit = "LIST", .help = "no other ids are drawn: [1, 2]"},
    {.name = "bad-words",
     .unit = "TEXT/LIST",
     .help =
         "texts, or lists of ids, that the answer never holds as these tokens: [\"a\", [5, 7]]"},
    {.name = "structured-outputs",
     .unit = "OBJECT",
     .help =
         "only what this allows: {\"json\": a JSON schema}, {\"regex\": \"[0-9]+\"}, {\"choice\": "
         "[\"yes\", \"no\"]}, {\"grammar\": in Lark} or {\"json_object\": true}"},
    {.name = "seed",
     .kind = FieldKind::kInteger,
     .fallback = "random",
     .min = 0,
     .max = kMaxSeed,
     .help = "the same seed draws the same tokens"},
    {.name = "logprobs",
     .kind = FieldKind::kInteger,
     .fallback = "none",
     .unit = "tokens",
     .min = 0,
     .max = sampling::kMaxLogprobs,
     .help =
         "log-probabilities of the answer's tokens and of so many of the likeliest beside each"},
    {.name = "prompt-logprobs",
     .kind = FieldKind::kInteger,
     .fallback = "none",
     .unit = "tokens",
     .min = 0,
     .max = sampling::kMaxLogprobs,
     .help = "the same for the prompt's tokens"},
    {.name = "echo", .kind = FieldKind::kSwitch, .help = "the text begins with the prompt"},
};

constexpr JsonLimits kFlagLimits = {.max_bytes = 1 << 20, .max_depth = 64, .max_values = 100'000};

std::string field_name(std::string_view flag) {
  std::string name(flag);
  std::ranges::replace(name, '-', '_');
  return name;
}

// What a text flag holds: JSON where it begins like it, else the text itself.
Result<Json> text_value(const ConfigField& field, const std::string& text) {
  const bool list = text.starts_with('[') || text.starts_with('{');
  if (list) return parse_json(text, fmt::format("--{}", field.name), kFlagLimits);
  if (field.unit == "TEXT/LIST") return Json::array({text});
  return fail(Code::kInvalidArgument, fmt::format("--{}", field.name), fmt::format("\"{}\"", text),
              field.unit == "LIST" ? "a JSON list of ids: [1, 2]" : "a JSON object: {...}");
}

template <class T>
Json number_value(const std::optional<T>& number) {
  return number ? Json(*number) : Json();
}

// Null where the flag was not given, or is a word.
Result<Json> value_of(const ConfigField& field, const FieldValues& values) {
  if (!values.given(field.name)) return Json();
  switch (field.kind) {
    case FieldKind::kSwitch:
      return Json(values.is_on(field.name));
    case FieldKind::kInteger:
    case FieldKind::kSize:
      return number_value(values.integer(field.name));
    case FieldKind::kNumber:
      return number_value(values.number(field.name));
    default:
      return text_value(field, values.text(field.name));
  }
}

template <class T, class U>
void set_if(T& target, const std::optional<U>& value) {
  if (value) target = static_cast<T>(*value);
}

Result<std::vector<int32_t>> read_ids(const Json& fields, std::string_view key) {
  const auto ids = TRY(optional_int_array(fields, key, 0, kMaxId));
  std::vector<int32_t> made;
  for (const int64_t id : ids.value_or(std::vector<int64_t>())) {
    made.push_back(static_cast<int32_t>(id));
  }
  return made;
}

Result<std::vector<std::string>> read_stops(const Json& fields) {
  const Json* stop = find_member(fields, "stop");
  if (stop != nullptr && stop->is_string()) return std::vector{stop->get<std::string>()};
  return TRY(optional_string_array(fields, "stop")).value_or(std::vector<std::string>());
}

Result<std::vector<std::pair<int32_t, double>>> read_logit_bias(const Json& fields) {
  std::vector<std::pair<int32_t, double>> made;
  const Json* object = TRY(optional_object(fields, "logit_bias"));
  if (object == nullptr) return made;
  // Before anything is looked up in it, which takes longer the more there is.
  if (object->size() > sampling::kMaxLogitBias) {
    return fail(Code::kInvalidData, "logit_bias", fmt::format("{} ids", object->size()),
                fmt::format("at most {}", sampling::kMaxLogitBias));
  }
  for (const auto& [key, value] : object->items()) {
    int32_t id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size()) {
      return fail(Code::kInvalidData, "logit_bias", fmt::format("\"{}\"", key), "token ids");
    }
    auto bias = get_double(*object, key);
    if (!bias) return std::unexpected(std::move(bias).error().with_context("logit_bias"));
    made.emplace_back(id, *bias);
  }
  return made;
}

Result<std::vector<std::vector<int32_t>>> read_bad_words(const Json& fields,
                                                         const TextCodec& codec) {
  std::vector<std::vector<int32_t>> made;
  const Json* words = TRY(optional_array(fields, "bad_words"));
  if (words == nullptr) return made;
  for (const Json& word : *words) {
    if (word.is_string()) {
      for (auto& ids : TRY(codec.spellings(word.get_ref<const std::string&>()))) {
        made.push_back(std::move(ids));
      }
    } else if (word.is_array()) {
      made.push_back(TRY(read_ids(Json{{"bad_words", word}}, "bad_words")));
    } else {
      return fail(Code::kInvalidData, "bad_words", json_excerpt(word), "texts or lists of ids");
    }
  }
  return made;
}

uint64_t random_seed() { return random_u64() & ((uint64_t{1} << 53) - 1); }

Result<void> read_filters(const Json& fields, const model::GenerationDefaults& defaults,
                          sampling::SamplingParams& params) {
  const auto temperature = TRY(optional_double(fields, "temperature"));
  const auto top_k = TRY(optional_int(fields, "top_k", -1, kMaxId));
  const auto top_p = TRY(optional_double(fields, "top_p"));
  const auto min_p = TRY(optional_double(fields, "min_p"));
  const auto typical_p = TRY(optional_double(fields, "typical_p"));
  const bool samples = defaults.do_sample.value_or(false) || top_k || top_p || min_p || typical_p;
  params.temperature = temperature.value_or(samples ? defaults.temperature.value_or(1.0) : 0.0);
  params.top_k = top_k.value_or(defaults.top_k.value_or(0));
  params.top_p = top_p.value_or(defaults.top_p.value_or(1.0));
  params.min_p = min_p.value_or(defaults.min_p.value_or(0.0));
  params.typical_p = typical_p.value_or(1.0);
  return {};
}

}  // namespace

FieldList sampling_fields() { return kFields; }

bool is_sampling_field(std::string_view key) {
  return key == kResponseFormat || std::ranges::any_of(kFields, [&](const ConfigField& field) {
           return field_name(field.name) == key;
         });
}

Result<Json> sampling_values(const FieldValues& values) {
  Json made = Json::object();
  for (const ConfigField& field : kFields) {
    Json value = TRY(value_of(field, values));
    if (!value.is_null()) made[field_name(field.name)] = std::move(value);
  }
  return made;
}

Result<Ask> read_ask(const Json& fields, const TextCodec& codec,
                     const model::GenerationDefaults& defaults) {
  constexpr int64_t kMost = 1 << 24;
  Ask ask;
  ask.max_tokens = TRY(optional_int(fields, "max_tokens", 1, kMost));
  ask.ignore_eos = TRY(optional_bool(fields, "ignore_eos")).value_or(false);
  ask.echo = TRY(optional_bool(fields, "echo")).value_or(false);
  sampling::SamplingParams& params = ask.params;
  TRY(read_filters(fields, defaults, params));
  set_if(params.repetition_penalty, TRY(optional_double(fields, "repetition_penalty")));
  set_if(params.presence_penalty, TRY(optional_double(fields, "presence_penalty")));
  set_if(params.frequency_penalty, TRY(optional_double(fields, "frequency_penalty")));
  params.logit_bias = TRY(read_logit_bias(fields));
  params.allowed_token_ids = TRY(read_ids(fields, "allowed_token_ids"));
  if (fields.contains("allowed_token_ids") && params.allowed_token_ids.empty() &&
      !fields["allowed_token_ids"].is_null()) {
    return fail(Code::kInvalidData, "allowed_token_ids", "no ids", "at least one");
  }
  params.bad_words = TRY(read_bad_words(fields, codec));
  set_if(params.min_tokens, TRY(optional_int(fields, "min_tokens", 0, kMost)));
  params.stop_token_ids = TRY(read_ids(fields, "stop_token_ids"));
  params.stop = TRY(read_stops(fields));
  params.grammar = TRY(read_grammar(fields, codec));
  set_if(params.include_stop, TRY(optional_bool(fields, "include_stop_str_in_output")));
  params.logprobs = TRY(optional_int(fields, "logprobs", 0, sampling::kMaxLogprobs));
  params.prompt_logprobs = TRY(optional_int(fields, "prompt_logprobs", 0, sampling::kMaxLogprobs));
  const auto seed = TRY(optional_int(fields, "seed", 0, std::numeric_limits<int64_t>::max()));
  params.seed = seed ? static_cast<uint64_t>(*seed) : random_seed();
  return ask;
}

Result<Ask> flags_ask(const Json& fields, const TextCodec& codec,
                      const model::GenerationDefaults& defaults) {
  auto ask = read_ask(fields, codec, defaults);
  if (!ask && ask.error().code == Code::kInvalidData) ask.error().code = Code::kInvalidArgument;
  return ask;
}

void warn_without_effect(const Json& fields, const Ask& ask) {
  if (ask.params.temperature != 0) return;
  for (const char* name : {"top_k", "top_p", "min_p", "typical_p", "seed"}) {
    if (fields.contains(name)) log_warning("{} has no effect at temperature 0", name);
  }
}

}  // namespace strata::frontend
