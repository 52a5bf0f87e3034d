// The two measures by which logits are judged against a golden, in float64.
#pragma once

#include <cstdint>
#include <vector>

#include "golden_case.h"

namespace strata::golden {

/// Largest |difference| between row i of `expected` and row rows[i] of `actual`; infinity if any
/// value is not finite.
double max_difference(const Matrix& expected, const Matrix& actual,
                      const std::vector<int64_t>& rows);

/// Mean over the same rows of KL(softmax(expected) || softmax(actual)), in nats; infinity if not
/// finite.
double mean_kl(const Matrix& expected, const Matrix& actual, const std::vector<int64_t>& rows);

}  // namespace strata::golden
