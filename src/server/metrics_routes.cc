// GET /metrics: asks the engine, waits a little, and writes what is known.
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "server/api_routes.h"
#include "server/metrics/metric_table.h"

namespace strata::server {
namespace {

using Clock = std::chrono::steady_clock;

// A step that takes longer must not keep a scraper waiting.
constexpr std::chrono::milliseconds kPatience{1000};

void ask_engine(const ApiService& api, const std::shared_ptr<Signal>& signal) {
  const Served* loaded = api.loaded();
  if (loaded == nullptr) return;
  api.latest()->ask(loaded->door, api.env(), [weak = std::weak_ptr(signal)] {
    if (const auto waiting = weak.lock()) waiting->notify();
  });
}

Reply scraped(const ApiService& api) {
  Scrape scrape{.model_name = api.names().front(),
                .http = api.http(),
                .key_limits = api.key_limits(),
                .old_names = api.old_metric_names(),
                .ready = api.served() != nullptr,
                .loaded_share = api.loaded() != nullptr ? 1 : api.progress()};
  if (api.loaded() != nullptr) {
    scrape.silent_s = std::chrono::duration<double>(api.loaded()->door.silent_for()).count();
  }
  const auto taken = api.latest()->last();
  std::optional<Scrape::Engine> engine;
  if (taken != nullptr) {
    const engine::ResolvedConfig& config = api.loaded()->engine.config();
    engine.emplace(
        Scrape::Engine{.stats = taken->stats,
                       .age_s = static_cast<double>(api.now_ns() - taken->time_ns) * 1e-9,
                       .block_tokens = config.block_tokens,
                       .prefix_caching = config.prefix_caching});
    scrape.engine = &*engine;
  }
  return {.content_type = std::string(kMetricsType), .body = metrics_text(scrape)};
}

int64_t answers_so_far(const ApiService& api) {
  const auto taken = api.latest()->last();
  return taken == nullptr ? 0 : taken->number;
}

// Another scrape's answer serves as well as ours.
bool waits_still(const ApiService& api, int64_t before, Clock::time_point until) {
  return api.loaded() != nullptr && answers_so_far(api) == before && Clock::now() < until;
}

std::chrono::milliseconds left(Clock::time_point until) {
  return std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
}

}  // namespace

asio::awaitable<void> show_metrics(Service& service, Exchange& exchange) {
  const auto& api = static_cast<const ApiService&>(service);
  const auto signal = exchange.make_signal();
  const int64_t before = answers_so_far(api);
  const Clock::time_point until = Clock::now() + kPatience;
  ask_engine(api, signal);
  while (waits_still(api, before, until)) {
    const Wake woken = co_await exchange.wait(*signal, left(until));
    if (woken == Wake::kGone) co_return;
  }
  Reply reply = scraped(api);
  co_await exchange.reply(std::move(reply));
}

}  // namespace strata::server
