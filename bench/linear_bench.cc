// Speed of linear ops: share of the read bandwidth and of the arithmetic peak that each instruction
// set reaches, by rows. Weights are distinct matrices on huge pages, together over a gigabyte,
// walked in turn, so that none is in a cache; the probes run between the figures, because a shared
// machine's limits move.
//
//   linear_bench [--isa avx2] [--kind bf16] [--k 2048 --n 8192] [--m 1,16,512] [--threads 2]
//   [--seconds 0.3] [--rounds 3] [--gib 1.25] [--coded 1]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/compute_pool.h"
#include "base/env.h"
#include "bench.h"
#include "kernels/cpu_features.h"
#include "kernels/linear.h"
#include "kernels/probe.h"
#if defined(__x86_64__)
#include "kernels/x86/expand/expand_units.h"
#include "kernels/x86/linear_units.h"
#endif

namespace strata::kernels {
namespace {

using bench::HugePages;
using bench::median;
using bench::Options;
using tensor::ProductKind;

// Words that are small random numbers whether read as f32 or as two bf16 (or f16) values.
void fill_random(std::byte* data, size_t bytes, ProductKind kind) {
  uint64_t state = 88172645463325252ull;
  const uint32_t keep = kind == ProductKind::kF32 ? 0x807fffffu : 0x807f807fu;
  const uint32_t base = kind == ProductKind::kF32    ? 0x3c000000u
                        : kind == ProductKind::kBf16 ? 0x3c003c00u
                                                     : 0x24002400u;
  for (size_t at = 0; at < bytes; at += 4) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const uint32_t word = (static_cast<uint32_t>(state >> 20) & keep) | base;
    std::memcpy(data + at, &word, 4);
  }
}

// A panel of weights as trained ones are distributed, coded.
std::vector<std::byte> coded_panel(int64_t k) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, 0.02F);
  std::vector<std::byte> panel(static_cast<size_t>(tensor::packed_elements(tensor::kPanel, k) * 2));
  for (size_t at = 0; at < panel.size(); at += 2) {
    const auto weight = static_cast<uint16_t>(std::bit_cast<uint32_t>(normal(random)) >> 16);
    std::memcpy(&panel[at], &weight, 2);
  }
  const int64_t escapes = tensor::choose_code(panel.data(), k).escapes;
  std::vector<std::byte> coded(static_cast<size_t>(tensor::coded_panel_bytes(k, escapes)));
  const auto bytes = static_cast<int64_t>(coded.size());
  CHECK(tensor::encode_panel(panel.data(), k, bytes, coded.data()), "room for its own escapes");
  return coded;
}

ExpandFn best_expand(std::string_view isa) {
#if defined(__x86_64__)
  if (cpu_features().avx512_vbmi2 && isa != "avx2") return expand_chunks_vbmi2;
  if (cpu_features().avx2) return expand_chunks_avx2;
#endif
  return tensor::expand_chunks;
}

struct NamedKernels {
  std::string name;
  const LinearKernels* kernels;
};

std::vector<NamedKernels> available_kernels() {
  std::vector<NamedKernels> found;
#if defined(__x86_64__)
  const CpuFeatures& cpu = cpu_features();
  if (cpu.avx2) found.push_back({"avx2", kLinearAvx2});
  if (cpu.avx512) found.push_back({"avx512", kLinearAvx512});
  if (cpu.avx512_bf16) found.push_back({"avx512_bf16", kLinearAvx512Bf16});
  if (cpu.amx_bf16) found.push_back({"amx", kLinearAmx});
#endif
  return found;
}

class Bench {
 public:
  Bench(const Options& options, ComputePool& pool)
      : options_(options),
        pool_(pool),
        weights_(static_cast<size_t>(options.number("gib", 1.25) * 512) << 21),
        x_(size_t{128} << 20),
        out_(size_t{512} << 20),
        workspace_(size_t{64} << 20) {
    const std::string kind = options.get("kind", "bf16");
    kind_ = kind == "f32"   ? ProductKind::kF32
            : kind == "f16" ? ProductKind::kF16
                            : ProductKind::kBf16;
    fill_random(weights_.data, weights_.bytes, kind_);
    fill_random(x_.data, x_.bytes, kind_ == ProductKind::kBf16 ? kind_ : ProductKind::kF32);
    std::memset(out_.data, 0, out_.bytes);
    std::memset(workspace_.data, 0, workspace_.bytes);
  }

  void run() {
    const auto ks = options_.list("k", "2048,8192"), ns = options_.list("n", "8192,2048");
    for (size_t i = 0; i < ks.size(); i++) {
      fmt::print("K={} N={}\n{:>6} {:>8} {:>10} {:>7} {:>9} {:>7}\n", ks[i], ns[i], "M", "isa",
                 "GFLOP/s", "peak", "GB/s", "read");
      if (options_.get("coded", "0") != "0") fill_coded(ks[i]);
      for (const int64_t m : options_.list("m", "1,2,4,8,16,32,64,128,512,2048")) {
        for (const NamedKernels& named : available_kernels()) {
          if (options_.get("isa", named.name) != named.name) continue;
          const LinearKernels& kernels = named.kernels[static_cast<int>(kind_)];
          if (kernels.run != nullptr) measure(named.name, kernels, m, ks[i], ns[i]);
        }
      }
    }
  }

 private:
  void fill_coded(int64_t k) {
    const std::vector<std::byte> panel = coded_panel(k);
    coded_panel_bytes_ = static_cast<int64_t>(panel.size());
    for (size_t at = 0; at + panel.size() <= weights_.bytes; at += panel.size()) {
      std::memcpy(weights_.data + at, panel.data(), panel.size());
    }
  }

  void step(const std::string& name, const LinearKernels& kernels, int64_t m, int64_t k,
            int64_t n) {
    tensor::PackedMatrix w{weights_.data, kind_, n, k, coded_panel_bytes_};
    const int64_t matrices = std::max<int64_t>(1, static_cast<int64_t>(weights_.bytes) / w.bytes());
    w.data += next_++ % matrices * w.bytes();
    const LinearPart part{.w = w, .out = reinterpret_cast<float*>(out_.data), .out_stride = n};
    const device::ExecContext context{.workspace = {workspace_.data, workspace_.bytes},
                                      .pool = &pool_};
    run_linear(context, {.x = x_.data, .x_stride = k, .m = m, .parts = {&part, 1}}, kernels,
               best_expand(name));
  }

  void measure(const std::string& name, const LinearKernels& kernels, int64_t m, int64_t k,
               int64_t n) {
    const SpinScope spin(pool_);
    std::vector<double> peaks, reads, rates;
    const double work =
        static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n) * 2;
    const tensor::PackedMatrix w{nullptr, kind_, n, k, coded_panel_bytes_};
    const auto bytes = static_cast<double>(w.bytes());
    for (int round = 0; round < static_cast<int>(options_.number("rounds", 3)); round++) {
      peaks.push_back(peak_rate(pool_, best_bf16_unit().value(), 1).value());
      reads.push_back(read_bandwidth(pool_, {weights_.data, weights_.bytes}, 1));
      // Stretches of at least a fifth of a second or one step; the rate of each step would be noise
      // at M = 1.
      const int64_t start = real_env().now_ns();
      int64_t steps = 0, now = start;
      while (static_cast<double>(now - start) < options_.number("seconds", 0.3) * 1e9) {
        step(name, kernels, m, k, n);
        steps++;
        now = real_env().now_ns();
      }
      rates.push_back(static_cast<double>(steps) / (static_cast<double>(now - start) * 1e-9));
    }
    const double rate = median(rates), peak = median(peaks), read = median(reads);
    fmt::print(
        "{:>6} {:>8} {:>10.1f} {:>6.1f}% {:>9.2f} {:>6.1f}%   (best {:.1f} GFLOP/s; peak {:.0f}, "
        "read {:.1f})\n",
        m, name, rate * work * 1e-9, 100 * rate * work / peak, rate * bytes * 1e-9,
        100 * rate * bytes / read, *std::max_element(rates.begin(), rates.end()) * work * 1e-9,
        peak * 1e-9, read * 1e-9);
    std::fflush(stdout);
  }

  const Options& options_;
  ComputePool& pool_;
  HugePages weights_, x_, out_, workspace_;
  ProductKind kind_ = ProductKind::kBf16;
  int64_t coded_panel_bytes_ = 0;
  int64_t next_ = 0;
};

int run_bench(const Options& options) {
  cpu_features();  // the tile permission, before threads start
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
