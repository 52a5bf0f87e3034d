// What each key may ask for: requests and tokens a minute, and answers at a time. Between
// connections, which ask before they read a body, handlers and batches, which ask before the
// engine, and the engine's thread, which says what an answer came to without waiting for anybody.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "server/http_types.h"
#include "server/keys/rate_bucket.h"

namespace strata::server {

/// Empty: no limit. Names in files and messages: rpm, tpm, max_parallel_requests.
struct KeyLimit {
  std::optional<int64_t> requests_per_minute = {};
  std::optional<int64_t> tokens_per_minute = {};  // of prompts and of answers
  std::optional<int64_t> parallel_requests = {};

  bool any() const { return requests_per_minute || tokens_per_minute || parallel_requests; }
};

enum class LimitReason : uint8_t { kRequests, kTokens, kParallel };
inline constexpr size_t kLimitReasons = 3;
/// "requests", "tokens", "parallel".
std::string_view limit_reason_name(LimitReason reason);

/// What a request asks of its key before its body is read. kAnswer: also that an answer may be
/// made.
enum class LimitKind : uint8_t { kNone, kRequest, kAnswer };

/// An answer of a key under way. Ended where it is forgotten.
class KeyLease {
 public:
  struct Account {
    std::mutex mutex;
    KeyLimit limit;
    std::optional<RateBucket> requests, tokens;  // under the mutex, as increases of `running`
    std::atomic<int64_t> running = 0;
    // What leases have come to; whoever locks next charges it.
    std::atomic<int64_t> owed_requests = 0;
    std::atomic<int64_t> owed_tokens = 0;
  };
  KeyLease(std::shared_ptr<Account> account, int64_t requests, int64_t tokens)
      : account_(std::move(account)), requests_(requests), tokens_(tokens) {}
  KeyLease(const KeyLease&) = delete;
  KeyLease& operator=(const KeyLease&) = delete;
  ~KeyLease() { give_back(); }

  /// The answer has ended, whatever ended it, with so many tokens. From any thread, without a
  /// lock; the first end counts.
  void end(int64_t generated_tokens);
  /// It was never begun: what was charged is charged no more.
  void give_back();

 private:
  void settle(int64_t requests, int64_t tokens);

  const std::shared_ptr<Account> account_;
  const int64_t requests_, tokens_;  // charged when it was made
  std::atomic<bool> ended_ = false;
};

/// From any thread. Constant work a call, under a lock of the key's own.
class KeyLimits {
 public:
  using Lease = std::shared_ptr<KeyLease>;  // null: nothing is limited

  /// `limits`: of the server's keys, in their order; of a server without keys, one for everybody.
  KeyLimits(Env& env, const std::vector<KeyLimit>& limits);

  /// Counts a request, or refuses it and counts nothing: 429 with Retry-After.
  std::optional<HttpError> enter(std::optional<size_t> key, LimitKind kind);
  /// Charges a prompt and takes a seat, or refuses and changes nothing.
  std::expected<Lease, HttpError> start(std::optional<size_t> key, int64_t prompt_tokens);
  /// The same for a row of a batch, which leaves half of each limit to requests: kBusy where it has
  /// to wait, kResourceLimit where its prompt alone is more than a minute's tokens.
  Result<Lease> start_row(std::optional<size_t> key, int64_t prompt_tokens);

  /// Whether a row could go in at all now: looked at before it is read.
  bool row_may_fit(std::optional<size_t> key);

  /// What clients are told with each answer: x-ratelimit-limit-requests and the like.
  std::vector<Field> request_fields(std::optional<size_t> key);
  std::vector<Field> token_fields(std::optional<size_t> key);

  int64_t refused(LimitReason reason) const {
    return refused_[static_cast<size_t>(reason)].load(std::memory_order_relaxed);
  }

 private:
  using Account = KeyLease::Account;
  const std::shared_ptr<Account>& account(std::optional<size_t> key) const;
  HttpError refuse(LimitReason reason, Account& account, int64_t wanted);
  bool row_fits(Account& account, int64_t prompt_tokens, int64_t now_ns) const;

  Env& env_;
  std::vector<std::shared_ptr<Account>> accounts_;
  std::array<std::atomic<int64_t>, kLimitReasons> refused_{};
};

}  // namespace strata::server
