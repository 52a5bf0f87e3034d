// The handle behind Tokenizer and its table of pieces, shared with Detokenizer. Inside src/text
// only.
#pragma once

#include <string_view>

#include "text/ffi.h"
#include "text/tokenizer.h"

namespace strata::text {

struct Tokenizer::Impl {
  ffi::StrataTokenizer* handle = nullptr;
  ffi::StrataPieces pieces = {};

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (handle != nullptr) ffi::strata_tokenizer_free(handle);
  }

  uint8_t flags(int32_t id) const {
    return static_cast<size_t>(static_cast<uint32_t>(id)) < pieces.count ? pieces.flags[id] : 0;
  }
  std::string_view piece(int32_t id) const {
    return {pieces.text + pieces.offsets[id], pieces.offsets[id + 1] - pieces.offsets[id]};
  }
};

}  // namespace strata::text
