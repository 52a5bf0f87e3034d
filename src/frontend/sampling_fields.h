// What a request may ask of sampling, wherever it is asked: flags and fields of rows are one list
// of names and one reader. Between JSON or flag values and the engine's parameters; ranges are
// checked where a request is submitted.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/config_fields.h"
#include "base/json.h"
#include "base/status.h"
#include "frontend/text_codec.h"
#include "model/config.h"
#include "sampling/params.h"

namespace strata::frontend {

/// Flags; the field of a row has the same name with "_" for "-". Rows may also have OpenAI's
/// response_format (structured.h).
FieldList sampling_fields();
bool is_sampling_field(std::string_view key);

/// The flags that were given, as a row would write them. Lists are given as JSON; a text that is no
/// list counts as a list of one where texts are wanted.
Result<Json> sampling_values(const FieldValues& values);

struct Ask {
  std::optional<int64_t> max_tokens = {};
  bool ignore_eos = false;
  bool echo = false;                    // the answer's text begins with the prompt
  std::vector<int32_t> shown_ids = {};  // special tokens that the answer's text has
  sampling::SamplingParams params = {};
};

/// From fields as a row has them; what they leave out is the model's default, then ours. Greedy
/// where the model's files do not ask for sampling and no filter is given, as Transformers. Without
/// "seed" one is drawn. kInvalidData naming a field of the wrong type.
Result<Ask> read_ask(const Json& fields, const TextCodec& codec,
                     const model::GenerationDefaults& defaults);

/// The same for what flags gave: kInvalidArgument.
Result<Ask> flags_ask(const Json& fields, const TextCodec& codec,
                      const model::GenerationDefaults& defaults);

/// Says which of the fields have no effect.
void warn_without_effect(const Json& fields, const Ask& ask);

}  // namespace strata::frontend
