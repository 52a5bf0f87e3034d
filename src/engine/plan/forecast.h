// What a resolved configuration will take and how fast it will be, before anything is loaded: bytes
// by tier and tag, residents, ring, KV, seconds a pass. Between resolve.h with its prices
// (calibrate.h) and whoever shows the table. Pure; a price that is unknown leaves its speed unsaid.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/opened_model.h"
#include "engine/resolve.h"
#include "engine/stats.h"
#include "placement/cost.h"

namespace strata::engine {

/// A pass of so many sequences, each decoding a token.
struct PassForecast {
  int64_t sequences = 1;
  placement::PassCost cost = {};

  double tokens_per_s() const { return static_cast<double>(sequences) / cost.pass_s(); }
};

struct Forecast {
  std::vector<MemoryUse> memory;  // by tag of the account, and "program"
  int64_t ceiling_bytes = 0;      // 0 = none
  int64_t disk_bytes = 0;         // of weights that every pass reads
  int64_t row_bytes = 0;          // read for a token's row of the embedding; 0: that is in memory
  int64_t units = 0, residents = 0;
  int64_t ring_bytes = 0;
  int64_t kv_blocks = 0, kv_tokens = 0;
  int64_t max_model_len = 0;
  int64_t full_sequences = 0;            // of max_model_len tokens, that the pool holds at once
  int64_t context = 0;                   // tokens that each sequence of a pass below has behind it
  std::optional<PassForecast> one = {};  // nullopt: some price is unknown
  std::optional<PassForecast> batch = {};    // as many as run at once
  std::optional<PassForecast> as_pack = {};  // one sequence, were the folder a pack; else nullopt

  int64_t memory_sum() const;
};

/// Passes are told of sequences with so much context, or max_model_len where that is less.
inline constexpr int64_t kForecastContext = 512;

/// Prices a configuration's passes; `config` and `opened` must outlive it.
class PassPrices {
 public:
  PassPrices(const ResolvedConfig& config, const OpenedModel& opened, placement::CostTable costs);

  PassPrices(const PassPrices&) = delete;  // the request points into the units
  PassPrices& operator=(const PassPrices&) = delete;

  /// `context`: tokens behind all rows of the pass together. nullopt where a price is unknown.
  std::optional<placement::PassCost> pass(const placement::PassLoad& rows, int64_t context) const;
  /// The same, were the folder a pack.
  std::optional<placement::PassCost> pass_as_pack(const placement::PassLoad& rows,
                                                  int64_t context) const;
  bool is_folder() const { return request_.finished_apart; }
  const std::vector<placement::UnitFacts>& units() const { return units_; }

 private:
  const ResolvedConfig& config_;
  std::vector<placement::UnitFacts> units_;
  placement::PlacementRequest request_;
  placement::CostTable costs_;
  int64_t kv_bytes_per_token_ = 0;
};

Forecast make_forecast(const ResolvedConfig& config, const OpenedModel& opened,
                       const placement::CostTable& costs);

/// Seconds that the prices say the steps of `stats` take; nullopt where one is unknown, or nothing
/// ran.
std::optional<double> predicted_s(const EngineStats& stats, const PassPrices& prices);

}  // namespace strata::engine
