// The UTF-8 automaton of utf8.h: the table of valid second bytes is Table 3-7 of the Unicode
// standard.
#include "text/utf8.h"

#include <cstdint>

namespace strata::text {
namespace {

struct Lead {
  size_t size;        // bytes of the whole character, 0 for a byte that starts none
  uint8_t low, high;  // range of the second byte
};

Lead lead_of(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

Utf8Step utf8_step(std::string_view bytes) {
  const Lead lead = lead_of(static_cast<uint8_t>(bytes[0]));
  if (lead.size == 0) return {.size = 1};
  for (size_t i = 1; i < lead.size; ++i) {
    if (i == bytes.size()) return {.size = i, .incomplete = true};
    const auto byte = static_cast<uint8_t>(bytes[i]);
    const uint8_t low = i == 1 ? lead.low : 0x80;
    const uint8_t high = i == 1 ? lead.high : 0xBF;
    if (byte < low || byte > high) return {.size = i};
  }
  return {.size = lead.size, .valid = true};
}

size_t append_lossy(std::string_view bytes, std::string& text) {
  size_t at = 0;
  while (at < bytes.size()) {
    const Utf8Step step = utf8_step(bytes.substr(at));
    if (step.incomplete) break;
    text += step.valid ? bytes.substr(at, step.size) : kReplacement;
    at += step.size;
  }
  return at;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Step step = utf8_step(bytes);
    if (!step.valid) return false;
    bytes.remove_prefix(step.size);
  }
  return true;
}

}  // namespace strata::text
