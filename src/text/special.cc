// See special.h.
#include "text/special.h"

namespace strata::text {

Result<std::vector<int32_t>> encode_chat(const Tokenizer& tokenizer, std::string_view rendered) {
  return tokenizer.encode(rendered, {.add_special_tokens = false, .parse_special_tokens = true});
}

Result<std::vector<int32_t>> encode_prompt(const Tokenizer& tokenizer, std::string_view prompt,
                                           bool parse_special) {
  return tokenizer.encode(prompt,
                          {.add_special_tokens = true, .parse_special_tokens = parse_special});
}

}  // namespace strata::text
