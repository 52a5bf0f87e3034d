// Each setting that is named would do, and none is named that would not.
#include "engine/plan/nearest.h"

#include <gtest/gtest.h>

namespace strata::engine {
namespace {

constexpr int64_t kMiB = 1 << 20;

// As if rows, sequences and threads each took so much of --memory.
bool fits_in(const EngineConfig& config, int64_t fixed) {
  const int64_t rows = config.max_num_batched_tokens.value_or(512);
  const int64_t sequences = config.max_num_seqs.value_or(64);
  const int64_t threads = config.threads.value_or(4);
  const int64_t length = config.max_model_len.value_or(100);
  const int64_t needed = fixed + rows / 16 + sequences / 2 + 8 * threads + length / 100;
  return needed * kMiB <= *config.memory_bytes;
}

std::string nearest(const EngineConfig& asked, int64_t fixed, int64_t most_memory = 1000 * kMiB) {
  const auto fits = [&](const EngineConfig& config) { return fits_in(config, fixed); };
  EXPECT_FALSE(fits(asked));
  return nearest_settings(asked, fits, most_memory, 4);
}

TEST(NearestSettings, ThreeThatWouldDoAreNamed) {
  EXPECT_EQ(nearest({.memory_bytes = 180 * kMiB}, 100),
            "any one of: --memory 201MiB; --max-num-batched-tokens 128; --max-num-seqs 16");
}

TEST(NearestSettings, OnlyWhatWouldDoIsNamed) {
  EXPECT_EQ(nearest({.max_num_batched_tokens = 16, .memory_bytes = 140 * kMiB}, 100),
            "any one of: --memory 170MiB; --max-num-seqs 8; --max-num-batched-tokens 16 with "
            "--max-num-seqs 1 and --threads 1");
  EXPECT_EQ(nearest({.memory_bytes = 110 * kMiB}, 100, 150 * kMiB),
            "--max-num-batched-tokens 16 with --max-num-seqs 1 and --threads 1");
  EXPECT_EQ(nearest({.memory_bytes = 50 * kMiB}, 100, 60 * kMiB), "");
}

TEST(NearestSettings, WhatWasAskedForGivesWayFirst) {
  EXPECT_EQ(nearest({.max_model_len = 5000, .memory_bytes = 220 * kMiB}, 100),
            "any one of: --memory 250MiB; --max-model-len 2499; --max-num-batched-tokens 64");
}

TEST(NearestSettings, SettingsOfWeightsAreGivenBackToTheMachine) {
  const EngineConfig asked{
      .memory_bytes = 10 * kMiB, .weights_on = placement::WeightsOn::kRam, .ring_bytes = 64 * kMiB};
  const auto fits = [](const EngineConfig& config) {
    return config.weights_on == placement::WeightsOn::kAuto || !config.ring_bytes;
  };
  EXPECT_EQ(nearest_settings(asked, fits, 5 * kMiB, 1),
            "any one of: --weights-on auto; --ring-bytes auto; --max-num-batched-tokens 16 with "
            "--max-num-seqs 1 and --threads 1");
}

}  // namespace
}  // namespace strata::engine
