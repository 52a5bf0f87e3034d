// Time of choosing a token from one row of 128,256 logits on one core, for the instruction sets
// given or the best one: everything a request can ask for, and the greedy choice. Rows differ from
// call to call, as they do in a batch, and together exceed the second-level cache.
//
//   sampling_bench [isa]
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/env.h"
#include "kernels/kernel_table.h"
#include "sampling/sampler.h"

namespace strata::sampling {
namespace {

constexpr size_t kVocab = 128'256;
constexpr size_t kRows = 16;
constexpr int kRounds = 40;

// A model's rows: most ids far below, a few near the top. Flat rows are the worst case of top_p.
std::vector<std::vector<float>> make_rows(float sigma) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, sigma);
  std::vector<std::vector<float>> rows(kRows, std::vector<float>(kVocab));
  for (std::vector<float>& row : rows) {
    for (float& logit : row) logit = normal(random);
    for (int i = 0; i < 30; i++) row[random() % kVocab] += 3 * sigma;
  }
  return rows;
}

void measure(const char* name, const SamplingParams& params, std::vector<std::vector<float>>& rows,
             SamplerScratch& scratch) {
  std::mt19937_64 random(2);
  std::vector<int32_t> prompt(1024);
  for (int32_t& id : prompt) id = static_cast<int32_t>(random() % kVocab);
  DecodeState state(make_decode_request(params, prompt, {2}));
  for (int i = 0; i < 500; i++) state.commit(static_cast<int32_t>(random() % kVocab));
  std::vector<double> times;
  for (int round = 0; round < kRounds; round++) {
    const int64_t start = real_env().now_ns();
    for (std::vector<float>& row : rows) {
      if (!sample(row, state, scratch)) std::abort();
    }
    times.push_back(static_cast<double>(real_env().now_ns() - start) / 1e3 / kRows);
  }
  std::ranges::sort(times);
  fmt::print("{:<46} {:8.1f} us/row (best {:.1f})\n", name, times[times.size() / 2], times[0]);
}

int run_bench(kernels::Isa isa) {
  const auto table = kernels::make_cpu_kernel_table(isa);
  if (!table) return 1;
  SamplerScratch scratch(table->logits);
  auto rows = make_rows(3), flat = make_rows(0.5f);
  fmt::print("{}, {} logits\n", kernels::isa_name(isa), kVocab);
  const SamplingParams all{.temperature = 0.8,
                           .top_k = 50,
                           .top_p = 0.95,
                           .min_p = 0.01,
                           .repetition_penalty = 1.1,
                           .presence_penalty = 0.2,
                           .frequency_penalty = 0.1,
                           .logprobs = 20};
  measure("argmax", {.temperature = 0}, rows, scratch);
  measure("all: T, k, p, min_p, penalties, 20 logprobs", all, rows, scratch);
  measure("temperature alone", {.temperature = 0.8}, rows, scratch);
  measure("temperature, top_p 0.9", {.temperature = 0.6, .top_p = 0.9}, rows, scratch);
  measure("temperature, top_k 50", {.temperature = 0.8, .top_k = 50}, rows, scratch);
  measure("temperature, min_p 0.05", {.temperature = 0.8, .min_p = 0.05}, rows, scratch);
  measure("argmax, 20 logprobs", {.temperature = 0, .logprobs = 20}, rows, scratch);
  measure("flat row, top_p 0.9 (worst case)", {.top_p = 0.9}, flat, scratch);
  measure("flat row, typical_p 0.9 (worst case)", {.typical_p = 0.9}, flat, scratch);
  return 0;
}

}  // namespace
}  // namespace strata::sampling

int main(int argc, char** argv) {
  auto isa = strata::kernels::available_isas().back();
  if (argc > 1) isa = strata::kernels::parse_isa(argv[1]).value_or(isa);
  return strata::sampling::run_bench(isa);
}
