// Two comparisons, two refusals.
#include "engine/text_budget.h"

#include <fmt/core.h>

#include <algorithm>

namespace strata::engine {
namespace {

// To the byte where some of it stays taken: three digits would not tell the numbers apart.
std::unexpected<Status> beyond(std::string_view what, int64_t bytes, int64_t limit, int64_t taken) {
  const auto number = [taken](int64_t value) {
    return taken > 0 ? fmt::format("{} B", value) : memory::format_bytes(value);
  };
  std::string most = fmt::format("at most the {} set aside for text", number(limit));
  if (taken > 0) {
    most = fmt::format("at most {}, as {} of the {} set aside for text stay taken",
                       number(std::max<int64_t>(0, limit - taken)), number(taken), number(limit));
  }
  return fail(Code::kResourceLimit, fmt::format("memory for {}", what), number(bytes),
              std::move(most), "ask for fewer tokens or logprobs, or raise --memory");
}

}  // namespace

Result<memory::Charge> TextBudget::reserve(std::string_view what, int64_t bytes, int64_t own) {
  const int64_t taken = kept_bytes_ + own;
  if (limit_ > 0 && bytes > limit_ - taken) return beyond(what, bytes, limit_, taken);
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

void TextBudget::keep(int64_t bytes) {
  const std::lock_guard lock(kept_mutex_);
  kept_.push_back(charge(bytes));
  kept_bytes_ += bytes;
}

}  // namespace strata::engine
