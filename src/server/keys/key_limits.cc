// Checks first, charges after: what is refused costs nothing.
#include "server/keys/key_limits.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

namespace strata::server {
namespace {

using std::chrono::nanoseconds;

int64_t whole_seconds(nanoseconds time) {
  return std::chrono::ceil<std::chrono::seconds>(time).count();
}

// As OpenAI writes times: "120ms", "2s", "6m0s".
std::string short_time(nanoseconds time) {
  const int64_t ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  if (ms < 1000) return fmt::format("{}ms", ms);
  const int64_t s = whole_seconds(time);
  return s < 60 ? fmt::format("{}s", s) : fmt::format("{}m{}s", s / 60, s % 60);
}

// What leases have come to since the last look.
int64_t take_in(KeyLease::Account& account, Env& env) {
  const int64_t now_ns = env.now_ns();
  const int64_t requests = account.owed_requests.exchange(0);
  const int64_t tokens = account.owed_tokens.exchange(0);
  if (account.requests) account.requests->charge(requests, now_ns);
  if (account.tokens) account.tokens->charge(tokens, now_ns);
  return now_ns;
}

bool has_seat(const KeyLease::Account& account) {
  return account.running.load() < account.limit.parallel_requests.value_or(INT64_MAX);
}

void add_fields(std::vector<Field>& fields, RateBucket& bucket, std::string_view what,
                int64_t now_ns) {
  const auto name = [&](const char* kind) { return fmt::format("x-ratelimit-{}-{}", kind, what); };
  const int64_t left = std::max<int64_t>(0, bucket.left(now_ns));
  fields.push_back({name("limit"), fmt::format("{}", bucket.per_minute())});
  fields.push_back({name("remaining"), fmt::format("{}", left)});
  fields.push_back({name("reset"), short_time(bucket.until(bucket.per_minute(), now_ns))});
}

struct Words {
  std::string text;
  std::optional<nanoseconds> wait;  // empty: for ever
};

Words words_of(LimitReason reason, KeyLease::Account& account, int64_t wanted, int64_t now_ns) {
  if (reason == LimitReason::kRequests) {
    const int64_t most = account.requests->per_minute();
    return {fmt::format("{} requests a minute (rpm)", most), account.requests->until(1, now_ns)};
  }
  if (reason == LimitReason::kParallel) {
    return {fmt::format("{} requests at a time (max_parallel_requests)",
                        *account.limit.parallel_requests),
            nanoseconds(1)};
  }
  const int64_t most = account.tokens->per_minute();
  const std::string text = fmt::format("{} tokens a minute (tpm)", most);
  if (wanted <= most) return {text, account.tokens->until(wanted, now_ns)};
  return {fmt::format("{}, and this prompt alone has {}", text, wanted), {}};
}

}  // namespace

std::string_view limit_reason_name(LimitReason reason) {
  constexpr std::string_view kNames[] = {"requests", "tokens", "parallel"};
  return kNames[static_cast<size_t>(reason)];
}

void KeyLease::settle(int64_t requests, int64_t tokens) {
  if (ended_.exchange(true)) return;
  account_->owed_requests += requests;
  account_->owed_tokens += tokens;
  account_->running--;
}

void KeyLease::end(int64_t generated_tokens) { settle(0, generated_tokens); }
void KeyLease::give_back() { settle(-requests_, -tokens_); }

KeyLimits::KeyLimits(Env& env, const std::vector<KeyLimit>& limits) : env_(env) {
  for (const KeyLimit& limit : limits) {
    Account& made = *accounts_.emplace_back(std::make_shared<Account>());
    made.limit = limit;
    const int64_t now_ns = env.now_ns();
    if (limit.requests_per_minute) made.requests.emplace(*limit.requests_per_minute, now_ns);
    if (limit.tokens_per_minute) made.tokens.emplace(*limit.tokens_per_minute, now_ns);
  }
}

const std::shared_ptr<KeyLimits::Account>& KeyLimits::account(std::optional<size_t> key) const {
  return accounts_[std::min(key.value_or(0), accounts_.size() - 1)];
}

HttpError KeyLimits::refuse(LimitReason reason, Account& account, int64_t wanted) {
  refused_[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  const int64_t now_ns = env_.now_ns();
  const Words words = words_of(reason, account, wanted, now_ns);
  HttpError error{429, "rate_limit_exceeded", "rate limit reached: " + words.text};
  if (words.wait) {
    const int64_t wait_s = std::max<int64_t>(1, whole_seconds(*words.wait));
    error.message += fmt::format(", try again in {} s", wait_s);
    error.fields.push_back({"Retry-After", fmt::format("{}", wait_s)});
  } else {
    error.fields.push_back({"x-should-retry", "false"});  // clients of both APIs heed it
  }
  if (account.requests) add_fields(error.fields, *account.requests, "requests", now_ns);
  if (account.tokens) add_fields(error.fields, *account.tokens, "tokens", now_ns);
  return error;
}

std::optional<HttpError> KeyLimits::enter(std::optional<size_t> key, LimitKind kind) {
  Account& account = *this->account(key);
  if (kind == LimitKind::kNone || !account.limit.any()) return {};
  const std::lock_guard lock(account.mutex);
  const int64_t now_ns = take_in(account, env_);
  const bool answers = kind == LimitKind::kAnswer;
  if (answers && !has_seat(account)) return refuse(LimitReason::kParallel, account, 1);
  if (answers && account.tokens && !account.tokens->has(1, now_ns)) {
    return refuse(LimitReason::kTokens, account, 1);
  }
  if (!account.requests) return {};
  if (!account.requests->has(1, now_ns)) return refuse(LimitReason::kRequests, account, 1);
  account.requests->charge(1, now_ns);
  return {};
}

std::expected<KeyLimits::Lease, HttpError> KeyLimits::start(std::optional<size_t> key,
                                                            int64_t prompt_tokens) {
  const std::shared_ptr<Account>& shared = account(key);
  Account& account = *shared;
  if (!account.limit.any()) return nullptr;
  const std::lock_guard lock(account.mutex);
  const int64_t now_ns = take_in(account, env_);
  if (!has_seat(account)) return std::unexpected(refuse(LimitReason::kParallel, account, 1));
  if (account.tokens && !account.tokens->has(prompt_tokens, now_ns)) {
    return std::unexpected(refuse(LimitReason::kTokens, account, prompt_tokens));
  }
  if (account.tokens) account.tokens->charge(prompt_tokens, now_ns);
  account.running++;
  return std::make_shared<KeyLease>(shared, 0, prompt_tokens);
}

// A prompt of more than half a limit waits until nothing of it is used.
bool KeyLimits::row_fits(Account& account, int64_t prompt_tokens, int64_t now_ns) const {
  const int64_t seats = account.limit.parallel_requests.value_or(INT64_MAX);
  if (account.running.load() >= std::max<int64_t>(1, seats / 2)) return false;
  const auto fits = [&](std::optional<RateBucket>& bucket, int64_t units) {
    if (!bucket) return true;
    const int64_t most = bucket->per_minute();
    return bucket->has(std::min(most, units + most / 2), now_ns);
  };
  return fits(account.requests, 1) && fits(account.tokens, prompt_tokens);
}

Result<KeyLimits::Lease> KeyLimits::start_row(std::optional<size_t> key, int64_t prompt_tokens) {
  const std::shared_ptr<Account>& shared = account(key);
  Account& account = *shared;
  if (!account.limit.any()) return nullptr;
  const std::lock_guard lock(account.mutex);
  const int64_t now_ns = take_in(account, env_);
  if (account.tokens && prompt_tokens > account.tokens->per_minute()) {
    return fail(
        Code::kResourceLimit, "the prompt", fmt::format("{} tokens", prompt_tokens),
        fmt::format("at most {}, the key's tokens a minute (tpm)", account.tokens->per_minute()));
  }
  if (!row_fits(account, prompt_tokens, now_ns)) return fail(Code::kBusy, "the key's limits");
  if (account.requests) account.requests->charge(1, now_ns);
  if (account.tokens) account.tokens->charge(prompt_tokens, now_ns);
  account.running++;
  return std::make_shared<KeyLease>(shared, 1, prompt_tokens);
}

bool KeyLimits::row_may_fit(std::optional<size_t> key) {
  Account& account = *this->account(key);
  if (!account.limit.any()) return true;
  const std::lock_guard lock(account.mutex);
  const int64_t now_ns = take_in(account, env_);
  return row_fits(account, 1, now_ns);
}

std::vector<Field> KeyLimits::request_fields(std::optional<size_t> key) {
  Account& account = *this->account(key);
  std::vector<Field> fields;
  if (!account.requests) return fields;
  const std::lock_guard lock(account.mutex);
  const int64_t now_ns = take_in(account, env_);
  add_fields(fields, *account.requests, "requests", now_ns);
  return fields;
}

std::vector<Field> KeyLimits::token_fields(std::optional<size_t> key) {
  Account& account = *this->account(key);
  std::vector<Field> fields;
  if (!account.tokens) return fields;
  const std::lock_guard lock(account.mutex);
  const int64_t now_ns = take_in(account, env_);
  add_fields(fields, *account.tokens, "tokens", now_ns);
  return fields;
}

}  // namespace strata::server
