// Speed of attention at the shape of a model: decode as a share of the read bandwidth, prefill as a
// share of the arithmetic peak. The cache is a pool of blocks of 16 layers in random order on huge
// pages, far larger than the caches, walked layer by layer; the probes run between the figures,
// because a shared machine's limits move.
//
//   attention_bench [--isa avx2] [--kind bf16] [--head-dim 64] [--q-heads 32] [--kv-heads 8]
//   [--mode decode|prefill]
//                   [--keys 512,4096] [--sequences 1,16] [--tokens 512,2048] [--threads 2]
//                   [--seconds 0.1] [--rounds 5] [--gib 1]
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/compute_pool.h"
#include "base/env.h"
#include "bench.h"
#include "kernels/cpu_features.h"
#include "kernels/kernel_table.h"
#include "kernels/probe.h"

namespace strata::kernels {
namespace {

using bench::HugePages;
using bench::median;
using bench::Options;
using tensor::ProductKind;

// Numbers about +-2 in the element type, so that softmax has work to do.
void fill_random(std::byte* data, size_t bytes, int64_t element, ProductKind kind) {
  uint64_t state = 88172645463325252ull;
  const bool half = element == 2;
  const uint32_t keep = !half                        ? 0x80ffffffu
                        : kind == ProductKind::kBf16 ? 0x80ff80ffu
                                                     : 0x87ff87ffu;
  const uint32_t base = !half                        ? 0x3f000000u
                        : kind == ProductKind::kBf16 ? 0x3f003f00u
                                                     : 0x38003800u;
  for (size_t at = 0; at < bytes; at += 4) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const uint32_t word = (static_cast<uint32_t>(state >> 20) & keep) | base;
    std::memcpy(data + at, &word, 4);
  }
}

constexpr int64_t kLayers = 16;

class Bench {
 public:
  Bench(const Options& options, ComputePool& pool)
      : options_(options),
        pool_(pool),
        kind_(kind_of(options.get("kind", "bf16"))),
        shape_{kind_, whole("kv-heads", 8), whole("head-dim", 64), 32},
        q_heads_(whole("q-heads", 32)),
        kv_(static_cast<size_t>(options.number("gib", 1) * 512) << 21),
        q_(size_t{256} << 20),
        out_(size_t{256} << 20),
        workspace_(size_t{64} << 20) {
    fill_random(kv_.data, kv_.bytes, tensor::element_bytes(kind_), kind_);
    fill_random(q_.data, q_.bytes, tensor::operand_bytes(kind_), kind_);
    std::memset(out_.data, 0, out_.bytes);
    std::memset(workspace_.data, 0, workspace_.bytes);
  }

  void run() {
    const std::string mode = options_.get("mode", "both");
    for (const Isa isa : available_isas()) {
      if (isa == Isa::kScalar || options_.get("isa", std::string(isa_name(isa))) != isa_name(isa))
        continue;
      table_ = make_cpu_kernel_table(isa).value();
      if (mode != "prefill") decode_figures(isa);
      if (mode != "decode") prefill_figures(isa);
    }
  }

 private:
  static ProductKind kind_of(const std::string& name) {
    return name == "f32"   ? ProductKind::kF32
           : name == "f16" ? ProductKind::kF16
                           : ProductKind::kBf16;
  }
  int64_t whole(const std::string& name, double fallback) const {
    return static_cast<int64_t>(options_.number(name, fallback));
  }

  // Every block of the pool in random order, again and again until `count` are named.
  std::vector<int64_t> blocks(int64_t count) {
    const int64_t block_bytes = kLayers * shape_.layer_bytes();
    std::vector<int64_t> order, named;
    for (int64_t at = 0; at + block_bytes <= static_cast<int64_t>(kv_.bytes); at += block_bytes)
      order.push_back(at);
    while (std::ssize(named) < count) {
      std::shuffle(order.begin(), order.end(), rng_);
      named.insert(named.end(), order.begin(), order.end());
    }
    return named;
  }

  void attend(std::span<const SequenceView> views, int64_t layer) {
    const device::ExecContext context{.workspace = {workspace_.data, workspace_.bytes},
                                      .pool = &pool_};
    const float scale = 1.0f / std::sqrt(static_cast<float>(shape_.head_dim));
    table_.attention[static_cast<int>(kind_)](
        context, {.kv = {shape_, kv_.data, layer * shape_.layer_bytes()},
                  .q_heads = q_heads_,
                  .q = q_.data,
                  .out = out_.data,
                  .out_stride = tensor::round_up(q_heads_ * shape_.head_dim, 32),
                  .scale = scale,
                  .sequences = views});
  }

  struct Rates {
    double calls, best_calls;  // per second: median and best round
    double limit, best_limit;  // what the probe gave between the rounds
  };

  template <class Step, class Probe>
  Rates measure(Step step, Probe probe) {
    const SpinScope spin(pool_);
    std::vector<double> limits, rates;
    for (int round = 0; round < static_cast<int>(options_.number("rounds", 5)); round++) {
      limits.push_back(probe());
      const int64_t start = real_env().now_ns();
      int64_t steps = 0, now = start;
      while (static_cast<double>(now - start) < options_.number("seconds", 0.1) * 1e9) {
        step();
        steps++;
        now = real_env().now_ns();
      }
      rates.push_back(static_cast<double>(steps) / (static_cast<double>(now - start) * 1e-9));
    }
    return {median(rates), *std::max_element(rates.begin(), rates.end()), median(limits),
            *std::max_element(limits.begin(), limits.end())};
  }

  void print(Isa isa, const std::string& what, const Rates& r, double per_call, const char* unit) {
    fmt::print(
        "{:>7} {:<24} {:6.1f} {} = {:4.1f} % of {:.1f} (best {:.1f} = {:.1f} % of {:.1f}), {:.1f} "
        "us\n",
        isa_name(isa), what, r.calls * per_call * 1e-9, unit, 100 * r.calls * per_call / r.limit,
        r.limit * 1e-9, r.best_calls * per_call * 1e-9,
        100 * r.best_calls * per_call / r.best_limit, r.best_limit * 1e-9, 1e6 / r.calls);
    std::fflush(stdout);
  }

  void decode_figures(Isa isa) {
    for (const int64_t keys : options_.list("keys", "512,4096,16384")) {
      for (const int64_t count : options_.list("sequences", "1,16")) {
        const int64_t per_sequence = keys / shape_.block_tokens;
        const int64_t sets = std::max<int64_t>(1, 1024 / (per_sequence * count));
        const std::vector<int64_t> table = blocks(per_sequence * count * sets);
        std::vector<std::vector<SequenceView>> batches(static_cast<size_t>(sets));
        for (int64_t i = 0; i < sets * count; i++) {
          batches[static_cast<size_t>(i / count)].push_back(
              {i % count, 1, keys - 1, table.data() + i * per_sequence});
        }
        int64_t call = 0;
        const auto step = [&] {
          attend(batches[static_cast<size_t>(call / kLayers % sets)], call % kLayers);
          call++;
        };
        const auto probe = [&] { return read_bandwidth(pool_, {kv_.data, kv_.bytes}, 1); };
        print(isa, fmt::format("decode {} keys x {}", keys, count), measure(step, probe),
              static_cast<double>(count * per_sequence * shape_.layer_bytes()), "GB/s");
      }
    }
  }

  void prefill_figures(Isa isa) {
    for (const int64_t tokens : options_.list("tokens", "512,2048,8192")) {
      const std::vector<int64_t> table = blocks(tokens / shape_.block_tokens);
      const SequenceView view = {0, tokens, 0, table.data()};
      int64_t call = 0;
      // Multiply-adds of q.k and P.v over the keys that each token sees.
      const auto n = static_cast<double>(tokens);
      const double work = 4 * static_cast<double>(q_heads_ * shape_.head_dim) * n * (n + 1) / 2;
      const auto probe = [&] { return peak_rate(pool_, best_bf16_unit().value(), 1).value(); };
      print(isa, fmt::format("prefill {} tokens", tokens),
            measure([&] { attend({&view, 1}, call++ % kLayers); }, probe), work, "GFLOP/s");
    }
  }

  const Options& options_;
  ComputePool& pool_;
  ProductKind kind_;
  tensor::KvShape shape_;
  int64_t q_heads_;
  HugePages kv_, q_, out_, workspace_;
  KernelTable table_;
  std::mt19937_64 rng_{7};
};

int run_bench(const Options& options) {
  available_isas();  // asks for the tile permission, before threads start
  auto pool = ComputePool::create(static_cast<int>(options.number("threads", 2)));
  if (!pool) {
    fmt::print(stderr, "{}\n", pool.error().message());
    return exit_code(pool.error().code);
  }
  if (const auto unit = best_bf16_unit(); !unit) {
    fmt::print(stderr, "{}\n", unit.error().message());
    return exit_code(unit.error().code);
  }
  Bench(options, **pool).run();
  return 0;
}

}  // namespace
}  // namespace strata::kernels

int main(int argc, char** argv) {
  return strata::bench::guarded(
      [&] { return strata::kernels::run_bench(strata::bench::Options(argc, argv)); });
}
