// The part of the memory ceiling that prompts, answers and what is made of them may take: whoever
// takes a request in reserves first what it may come to. It estimates nothing itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "memory/account.h"

namespace strata::engine {

/// May be used from many threads; on_shortage() before any other call.
class TextBudget {
 public:
  /// `limit` in bytes; 0: none. The account must outlive all reservations.
  TextBudget(memory::MemoryAccount& account, int64_t limit) : account_(&account), limit_(limit) {}

  /// kBusy where others hold what this needs, kResourceLimit where it could never be had: beside
  /// what keep() took and the `own` bytes that whoever asks holds for as long as it waits.
  Result<memory::Charge> reserve(std::string_view what, int64_t bytes, int64_t own = 0);
  /// For what exists already: may go beyond the limit.
  memory::Charge charge(int64_t bytes);
  /// The same for what stays until the end: nobody waits for it.
  void keep(int64_t bytes);
  int64_t limit() const { return limit_; }
  /// `give_back` is called where a reservation finds too little, before it is refused: whoever
  /// keeps what could be made again drops it.
  void on_shortage(std::function<void()> give_back) { give_back_ = std::move(give_back); }

 private:
  memory::MemoryAccount* account_;
  int64_t limit_;
  std::atomic<int64_t> kept_bytes_ = 0;
  std::mutex kept_mutex_;
  std::vector<memory::Charge> kept_;
  std::function<void()> give_back_;
};

}  // namespace strata::engine
