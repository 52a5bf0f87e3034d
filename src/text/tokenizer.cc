// Tokenizer over the Rust crate: owns the handle, checks what C++ can check, turns codes into
// Status.
#include "text/tokenizer.h"

#include <utility>

#include "text/ffi_result.h"
#include "text/tokenizer_impl.h"

namespace strata::text {

Result<Tokenizer> Tokenizer::from_json(std::string_view json) {
  auto impl = std::make_shared<Impl>();
  ffi::StrataBytes error = {};
  int32_t code = ffi::strata_tokenizer_new(ffi::borrow(json), &impl->handle, &error);
  if (code == ffi::kStrataTextOk) {
    code = ffi::strata_tokenizer_pieces(impl->handle, &impl->pieces, &error);
  }
  if (code != ffi::kStrataTextOk) {
    Status failure = std::move(ffi::failure(code, error)).error();
    return std::unexpected(std::move(failure).with_context("tokenizer.json"));
  }
  return Tokenizer(std::move(impl));
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  ffi::StrataIds ids = {};
  ffi::StrataBytes error = {};
  const int32_t code =
      ffi::strata_tokenizer_encode(impl_->handle, ffi::borrow(text), options.add_special_tokens,
                                   options.parse_special_tokens, &ids, &error);
  if (code != ffi::kStrataTextOk) return ffi::failure(code, error);
  return ffi::take(ids);
}

Result<std::vector<std::vector<int32_t>>> Tokenizer::encode_batch(
    std::span<const std::string> texts, EncodeOptions options) const {
  std::vector<std::vector<int32_t>> batch;
  batch.reserve(texts.size());
  for (const std::string& text : texts) batch.push_back(TRY(encode(text, options)));
  return batch;
}

Result<std::string> Tokenizer::hide_special_tokens(std::string text) const {
  bool changed = false;
  ffi::StrataBytes hidden = {};
  ffi::StrataBytes error = {};
  const int32_t code =
      ffi::strata_tokenizer_hide(impl_->handle, ffi::borrow(text), &changed, &hidden, &error);
  if (code != ffi::kStrataTextOk) return ffi::failure(code, error);
  std::string marked = ffi::take(hidden);
  return changed ? std::move(marked) : std::move(text);
}

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  ffi::StrataBytes text = {};
  ffi::StrataBytes error = {};
  const int32_t code = ffi::strata_tokenizer_decode(impl_->handle, ids.data(), ids.size(),
                                                    skip_special, &text, &error);
  if (code != ffi::kStrataTextOk) return ffi::failure(code, error);
  return ffi::take(text);
}

std::optional<int32_t> Tokenizer::token_to_id(std::string_view token) const {
  int32_t id = -1;
  ffi::StrataBytes error = {};
  const int32_t code =
      ffi::strata_tokenizer_token_to_id(impl_->handle, ffi::borrow(token), &id, &error);
  if (code != ffi::kStrataTextOk) {
    ffi::strata_text_free_bytes(error);  // not UTF-8, so no token
    return std::nullopt;
  }
  return id < 0 ? std::nullopt : std::optional(id);
}

std::optional<std::string> Tokenizer::id_to_token(int32_t id) const {
  bool found = false;
  ffi::StrataBytes token = {};
  ffi::StrataBytes error = {};
  const int32_t code = ffi::strata_tokenizer_id_to_token(impl_->handle, id, &found, &token, &error);
  if (code != ffi::kStrataTextOk) {
    ffi::strata_text_free_bytes(error);
    return std::nullopt;
  }
  std::string text = ffi::take(token);
  return found ? std::optional(std::move(text)) : std::nullopt;
}

int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(impl_->pieces.count); }

bool Tokenizer::is_special(int32_t id) const {
  return (impl_->flags(id) & ffi::kStrataPieceSpecial) != 0;
}

}  // namespace strata::text
