// Incremental decoding over the table of pieces that the Rust crate makes of a tokenizer's decoder.
// Three kinds of decoder are followed exactly; a fourth, found in no text model known to us,
// through a window of ids.
#include "text/detokenizer.h"

#include <algorithm>
#include <utility>

#include "text/tokenizer_impl.h"
#include "text/utf8.h"

namespace strata::text {
namespace {

// Ids a window may hold back before it is emitted as it stands: a character has at most 4 bytes, so
// 4 byte tokens.
constexpr size_t kWindowIds = 16;

std::string encode_utf8(uint32_t c) {
  std::string text;
  if (c < 0x80) {
    text.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    text.push_back(static_cast<char>(0xC0 | (c >> 6)));
    text.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    if (c < 0x10000) {
      text.push_back(static_cast<char>(0xE0 | (c >> 12)));
    } else {
      text.push_back(static_cast<char>(0xF0 | (c >> 18)));
      text.push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
    }
    text.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    text.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
  return text;
}

}  // namespace

Detokenizer::Detokenizer(Tokenizer tokenizer, DetokenizerOptions options)
    : tokenizer_(std::move(tokenizer)), options_(options) {
  restart();
}

void Detokenizer::restart() {
  started_ = options_.continues;
  strip_left_ = options_.continues ? 0 : tokenizer_.impl_->pieces.strip_count;
  held_.clear();
  window_.clear();
  window_read_ = 0;
}

std::string Detokenizer::append(int32_t id) {
  const uint8_t flags = tokenizer_.impl_->flags(id);
  if ((flags & ffi::kStrataPieceHasToken) == 0) return {};
  const bool special = (flags & ffi::kStrataPieceSpecial) != 0;
  if (special && options_.skip_special &&
      std::ranges::find(options_.shown, id) == options_.shown.end())
    return {};
  switch (tokenizer_.impl_->pieces.kind) {
    case ffi::kStrataPieceBytes:
      return append_bytes(tokenizer_.impl_->piece(id));
    case ffi::kStrataPieceRuns:
      return append_run(id);
    case ffi::kStrataPieceWords:
      return append_word(id);
    default:
      return append_window(id);
  }
}

std::string Detokenizer::pending() const {
  Detokenizer copy = *this;
  return copy.flush();
}

std::string Detokenizer::flush() {
  std::string text;
  switch (tokenizer_.impl_->pieces.kind) {
    case ffi::kStrataPieceBytes:
      if (!held_.empty()) text = kReplacement;
      break;
    case ffi::kStrataPieceRuns:
      text = strip(end_run());
      break;
    case ffi::kStrataPieceWords:
      break;
    default:
      text = read_window();
  }
  restart();
  return text;
}

std::string Detokenizer::append_bytes(std::string_view piece) {
  held_ += piece;
  std::string text;
  held_.erase(0, append_lossy(held_, text));
  return text;
}

// The decoder judges a run of byte tokens as a whole, so nothing of it is certain before the run
// ends.
std::string Detokenizer::append_run(int32_t id) {
  const std::string_view piece = tokenizer_.impl_->piece(id);
  if ((tokenizer_.impl_->flags(id) & ffi::kStrataPieceByte) != 0) {
    held_ += piece;
    return {};
  }
  return strip(end_run() += piece);
}

std::string Detokenizer::end_run() {
  std::string text;
  if (is_utf8(held_)) {
    text = std::move(held_);
  } else {
    for (size_t i = 0; i < held_.size(); ++i) text += kReplacement;
  }
  held_.clear();
  return text;
}

std::string Detokenizer::strip(std::string text) {
  if (strip_left_ == 0 || text.empty()) return text;
  const std::string character = encode_utf8(tokenizer_.impl_->pieces.strip_char);
  size_t cut = 0;
  while (strip_left_ > 0 && cut < text.size()) {
    const bool strippable = text.compare(cut, character.size(), character) == 0;
    if (strippable) cut += character.size();
    strip_left_ = strippable ? strip_left_ - 1 : 0;
  }
  return text.substr(cut);
}

std::string Detokenizer::append_word(int32_t id) {
  if (std::exchange(started_, true)) return std::string(tokenizer_.impl_->piece(id));
  return tokenizer_.decode({&id, 1}).value_or(std::string());
}

std::string Detokenizer::append_window(int32_t id) {
  window_.push_back(id);
  const bool full = window_.size() - window_read_ >= kWindowIds;
  std::string text = read_window();
  if (text.empty() || (!full && text.ends_with(kReplacement))) return {};
  window_.erase(window_.begin(), window_.begin() + static_cast<ptrdiff_t>(window_read_));
  window_read_ = window_.size();
  return text;
}

// Text of the ids that were not emitted yet, in the context of those before.
std::string Detokenizer::read_window() {
  const std::span<const int32_t> ids(window_);
  const std::string before = tokenizer_.decode(ids.first(window_read_)).value_or(std::string());
  const std::string all = tokenizer_.decode(ids).value_or(std::string());
  const auto split = std::ranges::mismatch(before, all).in2;
  return std::string(split, all.end());
}

}  // namespace strata::text
