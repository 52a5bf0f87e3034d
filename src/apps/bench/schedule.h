// `strata bench schedule`: what continuous batching and paged KV are worth on a list of lengths, by
// the real scheduler and a model of a step's time. Loads nothing and computes no token.
#pragma once

#include <cstdint>
#include <string>

#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct BenchScheduleArgs {
  std::string lengths;   // a file of rows "prompt tokens,answer tokens"; # begins a comment
  int64_t requests = 0;  // of the file, from its start
  double step_us = 0;    // of any step
  double row_us = 0;     // of each row
  std::string prices;    // a --stats file, whose measured steps replace the two
  int64_t max_num_seqs = 0;
  int64_t max_num_batched_tokens = 0;
  int64_t prefill_chunk = 0;
  int64_t kv_blocks = 0;
  int64_t max_model_len = 0;
  bool json = false;
};

FieldList bench_schedule_fields();
BenchScheduleArgs make_bench_schedule_args(const FieldValues& values);

/// Prints a table (or JSON) to stdout.
Result<void> run_bench_schedule(Env& env, const BenchScheduleArgs& args);

}  // namespace strata::apps
