// The part of the memory ceiling that prompts, answers and what is made of them may take: whoever
// takes a request in reserves first what it may come to. It estimates nothing itself.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "memory/account.h"

namespace strata::engine {

class TextBudget {
 public:
  /// `limit` in bytes; 0: none. The account must outlive all reservations.
  TextBudget(memory::MemoryAccount& account, int64_t limit) : account_(&account), limit_(limit) {}

  /// kBusy where others hold what this needs, kResourceLimit where it could never be had.
  Result<memory::Charge> reserve(std::string_view what, int64_t bytes);
  /// For what exists already: may go beyond the limit.
  memory::Charge charge(int64_t bytes);
  int64_t limit() const { return limit_; }

 private:
  memory::MemoryAccount* account_;
  int64_t limit_;
};

}  // namespace strata::engine
