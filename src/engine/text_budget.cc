// One comparison, two refusals.
#include "engine/text_budget.h"

#include <fmt/core.h>

namespace strata::engine {

Result<memory::Charge> TextBudget::reserve(std::string_view what, int64_t bytes) {
  if (limit_ > 0 && bytes > limit_) {
    return fail(Code::kResourceLimit, fmt::format("memory for {}", what),
                memory::format_bytes(bytes),
                fmt::format("at most the {} set aside for text", memory::format_bytes(limit_)),
                "ask for fewer tokens or logprobs, or raise --memory");
  }
  const auto left = [this] { return limit_ - account_->bytes(memory::MemoryTag::kText); };
  if (limit_ > 0 && bytes > left() && give_back_) give_back_();
  if (limit_ > 0 && bytes > left()) {
    return fail(Code::kBusy, fmt::format("memory for {} is taken by other requests", what),
                memory::format_bytes(bytes),
                fmt::format("at most {} now", memory::format_bytes(std::max<int64_t>(0, left()))),
                "try again later");
  }
  return charge(bytes);
}

memory::Charge TextBudget::charge(int64_t bytes) {
  return {*account_, memory::MemoryTag::kText, bytes};
}

}  // namespace strata::engine
