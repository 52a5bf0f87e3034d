// Names, sums and texts of the account.
#include "memory/account.h"

#include <fmt/core.h>

namespace strata::memory {

std::string_view tag_name(MemoryTag tag) {
  switch (tag) {
    case MemoryTag::kWeights:
      return "weights";
    case MemoryTag::kRing:
      return "ring";
    case MemoryTag::kKv:
      return "KV";
    case MemoryTag::kActivations:
      return "activations";
    case MemoryTag::kLogits:
      return "logits";
    case MemoryTag::kText:
      return "text";
  }
  return "unknown";
}

int64_t MemoryAccount::total() const {
  int64_t sum = 0;
  for (const std::atomic<int64_t>& bytes : bytes_) sum += bytes.load();
  return sum;
}

std::string MemoryAccount::summary() const {
  std::string out;
  for (int tag = 0; tag < kMemoryTags; tag++) {
    const int64_t held = bytes(static_cast<MemoryTag>(tag));
    if (held == 0) continue;
    if (!out.empty()) out += ", ";
    out += fmt::format("{} {}", tag_name(static_cast<MemoryTag>(tag)), format_bytes(held));
  }
  return out.empty() ? "nothing" : out;
}

std::string format_bytes(int64_t bytes) {
  static constexpr std::string_view kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  // 999.5 would print as "1e+03".
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    unit++;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.3g} {}", value, kUnits[unit]);
}

}  // namespace strata::memory
