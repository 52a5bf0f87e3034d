// What a call into the Rust crate leaves behind, as C++ values: owned bytes and ids become
// std::string and std::vector, a code with its message becomes a Status. Inside src/text only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/ffi.h"

namespace strata::text::ffi {

inline StrataStr borrow(std::string_view text) { return {text.data(), text.size()}; }

inline std::string take(StrataBytes bytes) {
  std::string text(bytes.data, bytes.size);
  strata_text_free_bytes(bytes);
  return text;
}

inline std::vector<int32_t> take(StrataIds ids) {
  std::vector<int32_t> values(ids.data, ids.data + ids.size);
  strata_text_free_ids(ids);
  return values;
}

/// The Status of a call that returned `code`, which is not kStrataTextOk; frees `error`.
inline std::unexpected<Status> failure(int32_t code, StrataBytes error) {
  Code mapped = Code::kInvalidData;
  if (code == kStrataTextInvalidArgument) mapped = Code::kInvalidArgument;
  if (code == kStrataTextResourceLimit) mapped = Code::kResourceLimit;
  return fail(mapped, take(error));
}

}  // namespace strata::text::ffi
