// A model's chat template (Jinja): a list of messages in, the prompt text out, byte for byte as
// Transformers renders it. Between the chat API and the tokenizer. Templates come with model files
// and are not trusted: each render runs under a budget of steps, memory, output and depth. It
// neither picks the template's source nor tokenizes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace strata::text {

/// What a template sees. JSON texts keep their key order; an empty text means "not given".
struct ChatInput {
  std::string messages = {};  // JSON array of messages
  std::string tools = {};     // JSON array of tool definitions; the template sees none if not given
  std::string documents = {};  // JSON array; the template sees none if not given
  bool add_generation_prompt = true;
  std::optional<std::string> bos_token = {};  // undefined in the template if not given
  std::optional<std::string> eos_token = {};
  std::string variables = {};  // JSON object of further variables; wins over all of the above
  std::optional<int64_t> now_unix_s =
      {};  // what strftime_now shows, in the local time zone; the clock if not given
};

/// A compiled template; copies share it. All methods may run on many threads at once.
class ChatTemplate {
 public:
  /// Parses `source` (at most 1 MB, nesting at most 150). Errors: kInvalidData with line and
  /// column.
  static Result<ChatTemplate> compile(std::string_view source);

  /// Errors, each with line and column where there is one: kInvalidArgument when the template
  /// itself refuses (raise_exception), when the input does not suit it or is not JSON;
  /// kResourceLimit when a budget is used up.
  Result<std::string> render(const ChatInput& input) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace strata::text
