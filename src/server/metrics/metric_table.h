// The table of metrics: every name that /metrics has, what it means, and where its numbers come
// from. It makes the text of a scrape and docs/metrics.md; it measures nothing.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/stats.h"
#include "server/keys/key_limits.h"
#include "server/metrics/http_counts.h"
#include "server/metrics/samples.h"

namespace strata::server {

/// What a scrape reads. The engine's part is empty until its model is there.
struct Scrape {
  std::string model_name;
  const HttpCounts& http;
  const KeyLimits* key_limits = nullptr;
  bool old_names = false;
  bool ready = false;
  double loaded_share = 0;
  double silent_s = 0;
  struct Engine {
    const engine::EngineStats& stats;
    double age_s = 0;  // of the statistics
    int64_t block_tokens = 0;
    bool prefix_caching = false;
  };
  const Engine* engine = nullptr;
};

struct Metric {
  std::string_view name;
  MetricKind kind = MetricKind::kGauge;
  std::string_view help;         // one sentence without a full stop
  std::string_view labels = "";  // beside model_name and engine
  bool old_name = false;         // only where old names are wanted
  /// One of the two.
  void (*from_engine)(const Scrape::Engine& engine, Samples& out) = nullptr;
  void (*from_server)(const Scrape& scrape, Samples& out) = nullptr;
};

std::span<const Metric> metrics();

/// The body of an answer to GET /metrics.
std::string metrics_text(const Scrape& scrape);
inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

/// docs/metrics.md.
std::string metrics_document();

}  // namespace strata::server
