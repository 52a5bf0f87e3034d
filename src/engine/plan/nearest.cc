// One function a flag; the order is that in which a user would rather give something up.
#include "engine/plan/nearest.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace strata::engine {
namespace {

constexpr size_t kMost = 3;
constexpr int64_t kMib = 1 << 20;
// What a program holds at its start differs by some pages from run to run.
constexpr int64_t kMemoryMore = 4;  // MiB

struct Search {
  const EngineConfig& asked;
  const Fits& fits;
  int64_t most_memory = 0;
  int threads = 1;
};

using Setting = std::optional<std::string>;

// The least whole number from `low` + 1 to `high` that fits; `high` must, and `low` must not.
template <class With>
int64_t least_that_fits(int64_t low, int64_t high, const Search& search, With with) {
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (search.fits(with(middle)) ? high : low) = middle;
  }
  return high;
}

Setting more_memory(const Search& search) {
  if (!search.asked.memory_bytes) return {};
  const auto with = [&](int64_t mib) {
    EngineConfig config = search.asked;
    config.memory_bytes = mib * kMib;
    return config;
  };
  const int64_t most = search.most_memory / kMib;
  const int64_t now = *search.asked.memory_bytes / kMib;
  if (most <= now || !search.fits(with(most))) return {};
  const int64_t least = least_that_fits(now, most, search, with);
  return fmt::format("--memory {}MiB", std::min(most, least + kMemoryMore));
}

Setting weights_on_auto(const Search& search) {
  if (search.asked.weights_on == placement::WeightsOn::kAuto) return {};
  EngineConfig config = search.asked;
  config.weights_on = placement::WeightsOn::kAuto;
  return search.fits(config) ? Setting("--weights-on auto") : Setting();
}

Setting smaller_ring(const Search& search) {
  if (!search.asked.ring_bytes) return {};
  EngineConfig config = search.asked;
  config.ring_bytes.reset();
  return search.fits(config) ? Setting("--ring-bytes auto") : Setting();
}

Setting shorter_sequences(const Search& search) {
  if (!search.asked.max_model_len) return {};
  const auto with = [&](int64_t shorter_by) {
    EngineConfig config = search.asked;
    config.max_model_len = *search.asked.max_model_len - shorter_by;
    return config;
  };
  const int64_t most = *search.asked.max_model_len - 1;
  if (most < 1 || !search.fits(with(most))) return {};
  return fmt::format("--max-model-len {}",
                     *search.asked.max_model_len - least_that_fits(0, most, search, with));
}

Setting fewer_blocks(const Search& search) {
  if (!search.asked.kv_blocks) return {};
  EngineConfig config = search.asked;
  config.kv_blocks.reset();
  return search.fits(config) ? Setting("--kv-blocks auto") : Setting();
}

Setting fewer_rows(const Search& search) {
  for (const int64_t rows : {256, 128, 64, 32, 16, 8}) {
    EngineConfig config = search.asked;
    if (config.max_num_batched_tokens.value_or(rows + 1) <= rows) continue;
    config.max_num_batched_tokens = rows;
    if (search.fits(config)) return fmt::format("--max-num-batched-tokens {}", rows);
  }
  return {};
}

Setting fewer_sequences(const Search& search) {
  for (const int64_t sequences : {32, 16, 8, 4, 2, 1}) {
    EngineConfig config = search.asked;
    if (config.max_num_seqs.value_or(sequences + 1) <= sequences) continue;
    config.max_num_seqs = sequences;
    if (search.fits(config)) return fmt::format("--max-num-seqs {}", sequences);
  }
  return {};
}

Setting no_guesses(const Search& search) {
  if (search.asked.speculation.method == "none") return {};
  EngineConfig config = search.asked;
  config.speculation.method = "none";
  return search.fits(config) ? Setting("--speculative none") : Setting();
}

Setting one_thread(const Search& search) {
  if (search.threads <= 1) return {};
  EngineConfig config = search.asked;
  config.threads = 1;
  return search.fits(config) ? Setting("--threads 1") : Setting();
}

// Where nothing does alone.
Setting all_of_it(const Search& search) {
  EngineConfig config = search.asked;
  config.max_num_batched_tokens = 16;
  config.prefill_chunk.reset();
  config.max_num_seqs = 1;
  config.threads = 1;
  config.speculation.method = "none";
  config.weights_on = placement::WeightsOn::kAuto;
  if (!search.fits(config)) return {};
  return "--max-num-batched-tokens 16 with --max-num-seqs 1 and --threads 1";
}

constexpr std::array kSettings = {more_memory,  weights_on_auto,   smaller_ring,
                                  fewer_blocks, shorter_sequences, no_guesses,
                                  fewer_rows,   fewer_sequences,   one_thread};

}  // namespace

std::string nearest_settings(const EngineConfig& asked, const Fits& fits, int64_t most_memory,
                             int threads) {
  const Search search{asked, fits, most_memory, threads};
  std::vector<std::string> found;
  for (const auto setting : kSettings) {
    if (found.size() == kMost) break;
    if (auto text = setting(search)) found.push_back(std::move(*text));
  }
  if (found.size() < kMost) {
    if (auto text = all_of_it(search)) found.push_back(std::move(*text));
  }
  std::string text;
  for (const std::string& one : found) text += (text.empty() ? "" : "; ") + one;
  return found.size() > 1 ? "any one of: " + text : text;
}

}  // namespace strata::engine
