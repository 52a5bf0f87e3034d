// How much work a model's tokens are: operations and bytes by the definitions that benchmark shares
// are quoted with (docs/benchmarks.md). Arithmetic on the spec; measures nothing.
#pragma once

#include <cstdint>

#include "model/spec.h"
#include "model/weights.h"

namespace strata::apps {

/// A multiply-add is two operations; only matrix products count.
struct TokenWork {
  double layer_ops = 0;              // of one token through all layers, without attention
  double head_ops = 0;               // of one row of logits
  double attention_ops_per_key = 0;  // of one token and one visible key, all layers
  double weight_bytes = 0;           // every weight once, a tied head once
  double kv_bytes_per_token = 0;     // all groups

  /// Causal attention of `rows` tokens that follow `first` earlier ones. Windows are not taken into
  /// account.
  double attention_ops(double first, double rows) const {
    return attention_ops_per_key * (rows * first + rows * (rows + 1) / 2);
  }
};

TokenWork token_work(const model::ModelSpec& spec, const model::WeightPlan& plan,
                     const model::KvLayout& kv);

}  // namespace strata::apps
