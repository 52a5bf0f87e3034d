// For tests of this folder: states and scratch in one line. No product code includes it.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "kernels/kernel_table.h"
#include "sampling/sampler.h"

namespace strata::sampling::testing {

/// Of the best instruction set of this machine.
inline const kernels::LogitsKernels& passes() {
  static const kernels::LogitsKernels kPasses =
      kernels::make_cpu_kernel_table(kernels::available_isas().back()).value().logits;
  return kPasses;
}

inline DecodeState state_of(SamplingParams params, std::vector<int32_t> prompt = {0},
                            const std::vector<int32_t>& generated = {},
                            std::vector<int32_t> stop_ids = {}) {
  DecodeState state(make_decode_request(std::move(params), prompt, std::move(stop_ids)));
  for (const int32_t token : generated) state.commit(token);
  return state;
}

}  // namespace strata::sampling::testing
