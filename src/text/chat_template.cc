// ChatTemplate over the Rust crate: owns the handle and hands the input over as it is.
#include "text/chat_template.h"

#include <ctime>
#include <utility>

#include "text/ffi_result.h"

namespace strata::text {

struct ChatTemplate::Impl {
  ffi::StrataTemplate* handle = nullptr;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (handle != nullptr) ffi::strata_template_free(handle);
  }
};

Result<ChatTemplate> ChatTemplate::compile(std::string_view source) {
  auto impl = std::make_shared<Impl>();
  ffi::StrataBytes error = {};
  const int32_t code = ffi::strata_template_new(ffi::borrow(source), &impl->handle, &error);
  if (code != ffi::kStrataTextOk) return ffi::failure(code, error);
  return ChatTemplate(std::move(impl));
}

Result<std::string> ChatTemplate::render(const ChatInput& input) const {
  const auto borrow_token = [](const std::optional<std::string>& token) {
    return token ? ffi::borrow(*token) : ffi::StrataStr{};
  };
  const ffi::StrataStr bos = borrow_token(input.bos_token);
  const ffi::StrataStr eos = borrow_token(input.eos_token);
  const ffi::StrataChat chat = {
      .messages = ffi::borrow(input.messages),
      .tools = ffi::borrow(input.tools),
      .documents = ffi::borrow(input.documents),
      .variables = ffi::borrow(input.variables),
      .bos_token = input.bos_token ? &bos : nullptr,
      .eos_token = input.eos_token ? &eos : nullptr,
      .now_s = input.now_unix_s.value_or(std::time(nullptr)),
      .add_generation_prompt = input.add_generation_prompt,
  };
  ffi::StrataBytes text = {};
  ffi::StrataBytes error = {};
  const int32_t code = ffi::strata_template_render(impl_->handle, &chat, &text, &error);
  if (code != ffi::kStrataTextOk) return ffi::failure(code, error);
  return ffi::take(text);
}

}  // namespace strata::text
