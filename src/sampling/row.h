// One row of logits with the largest of each block: the second answers "which are the k most
// likely?" by looking at few of the first. Below the sampler and the logprobs; it knows neither
// temperature nor requests.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "kernels/logits_kernels.h"

namespace strata::sampling {

struct Candidate {
  float logit = 0;
  float weight = 0;  // e^((logit - largest) / temperature)
  int32_t id = 0;
};

/// More likely first; of equal logits the lower id.
inline bool before(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

/// Room for `size`; never less than before, so that nothing is filled twice.
template <class T>
void grow(std::vector<T>& buffer, size_t size) {
  if (buffer.size() < size) buffer.resize(size);
}

/// Buffers that may be kept between calls; one per thread. The passes outlive it. Those that grow()
/// hold as many as their user counts.
struct SamplerScratch {
  explicit SamplerScratch(const kernels::LogitsKernels& table) : passes(&table) {}
  const kernels::LogitsKernels* passes;
  std::vector<Candidate> candidates;
  std::vector<float> maxima;    // by block
  std::vector<float> ranked;    // maxima in another order
  std::vector<float> weights;   // of what is left: grows
  std::vector<float> sums;      // by block of weights: grows
  std::vector<float> keys;      // what it is cut by, where that is no logit of the row: grows
  std::vector<int32_t> ids;     // of what is left, where that is not the row: grows
  std::vector<float> gathered;  // logits of allowed ids only, or a masked row
  std::vector<std::pair<int32_t, float>> undo;  // logits that processors have replaced
  // Of border.cc.
  struct Pool {
    std::vector<float> keys, weights, sums, maxima;  // grow
    std::vector<int32_t> places;                     // grows
    std::vector<std::pair<float, float>> sample;     // keys and their weights
    std::vector<double> bins;
  } pool;
};

struct Row {
  std::span<const float> logits;
  std::span<const float> maxima;
  float largest = 0;  // -infinity where there is no number
};

/// One pass. The row refers to `logits` and to scratch.maxima.
Row look_at(std::span<const float> logits, SamplerScratch& scratch);

/// The lowest id whose logit is the largest, which must be in the row.
int32_t most_likely(const Row& row);

/// The `most` most likely of those whose logit is at least `floor`, in order of ids, into
/// scratch.candidates without weights. NaN is passed over.
void take_most_likely(const Row& row, size_t most, float floor, SamplerScratch& scratch);

}  // namespace strata::sampling
