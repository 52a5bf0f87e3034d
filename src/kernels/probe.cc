// Threads and clocks of the probes; the loops are in x86/probe_*.cc.
#include "kernels/probe.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/env.h"
#include "kernels/cpu_features.h"
#include "kernels/fp_mode.h"
#if defined(__x86_64__)
#include "kernels/x86/probe_units.h"
#endif

namespace strata::kernels {
namespace {

// Runs `iterations` of a unit's loop and returns the operations done.
using PeakLoop = double (*)(int64_t iterations);
using ReadLoop = uint64_t (*)(const std::byte* data, size_t bytes);

struct PeakRow {
  PeakUnit unit;
  std::string_view name;
  Isa isa;  // whose kernels run on it
  bool available;
  PeakLoop loop;
  int64_t iterations;  // about 0.2 s on a core of 2020 or later
};

#if defined(__x86_64__)
std::vector<PeakRow> peak_rows() {
  const CpuFeatures& cpu = cpu_features();
  return {{PeakUnit::kAmxBf16, "amx_bf16", Isa::kAmx, cpu.amx_bf16, peak_amx_bf16, 3'000'000},
          {PeakUnit::kDotBf16, "dot_bf16", Isa::kAvx512Bf16, cpu.avx512_bf16, peak_dot_bf16,
           40'000'000},
          {PeakUnit::kFma512, "fma_512", Isa::kAvx512, cpu.avx512, peak_fma_512, 40'000'000},
          {PeakUnit::kFma256, "fma_256", Isa::kAvx2, cpu.avx2, peak_fma_256, 80'000'000}};
}
#else
std::vector<PeakRow> peak_rows() { return {}; }
#endif

uint64_t read_words(const std::byte* data, size_t bytes) {
  uint64_t seen[8] = {};
  for (size_t at = 0; at + sizeof seen <= bytes; at += sizeof seen) {
    uint64_t words[8];
    std::memcpy(words, data + at, sizeof words);
    for (int i = 0; i < 8; i++) seen[i] |= words[i];
  }
  for (int i = 1; i < 8; i++) seen[0] |= seen[i];
  return seen[0];
}

ReadLoop read_loop() {
#if defined(__x86_64__)
  if (cpu_features().avx2) return read_256;
#endif
  return read_words;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double run_once(ComputePool& pool, const PeakRow& row) {
  const int threads = pool.threads();
  std::vector<double> operations(static_cast<size_t>(threads)),
      seconds(static_cast<size_t>(threads));
  std::atomic<int> ready{0};
  pool.run(threads, [&](int64_t item, int) {
    const FpModeScope mode;
    // Everyone waits for everyone: one item a thread, and all clocks under full load.
    ready.fetch_add(1);
    while (ready.load() < threads) {
    }
    const int64_t start = real_env().now_ns();
    operations[static_cast<size_t>(item)] = row.loop(row.iterations);
    seconds[static_cast<size_t>(item)] = static_cast<double>(real_env().now_ns() - start) * 1e-9;
  });
  double total = 0;
  for (const double done : operations) total += done;
  return total / *std::max_element(seconds.begin(), seconds.end());
}

}  // namespace

std::string_view peak_unit_name(PeakUnit unit) {
  switch (unit) {
    case PeakUnit::kFma256:
      return "fma_256";
    case PeakUnit::kFma512:
      return "fma_512";
    case PeakUnit::kDotBf16:
      return "dot_bf16";
    case PeakUnit::kAmxBf16:
      return "amx_bf16";
  }
  return "unknown";
}

Result<PeakUnit> best_bf16_unit(Isa limit) {
  for (const PeakRow& row : peak_rows()) {
    if (row.available && row.isa <= limit) return row.unit;
  }
  return fail(Code::kUnavailable, "peak probe", "no FMA unit that Strata has a loop for");
}

Result<double> peak_rate(ComputePool& pool, PeakUnit unit, int repeats) {
  for (const PeakRow& row : peak_rows()) {
    if (row.unit != unit || !row.available) continue;
    const SpinScope spin(pool);
    run_once(pool, row);  // clocks and power settle
    std::vector<double> rates;
    for (int repeat = 0; repeat < repeats; repeat++) rates.push_back(run_once(pool, row));
    return median(rates);
  }
  return fail(Code::kUnavailable, "peak probe", std::string(peak_unit_name(unit)),
              "a unit of this CPU");
}

double read_bandwidth(ComputePool& pool, std::span<const std::byte> data, int repeats) {
  constexpr size_t kPiece = size_t{1} << 20;
  const ReadLoop loop = read_loop();
  const int64_t pieces = static_cast<int64_t>(data.size() / kPiece);
  const SpinScope spin(pool);
  std::atomic<uint64_t> seen{0};
  std::vector<double> rates;
  for (int repeat = 0; repeat < repeats; repeat++) {
    const int64_t start = real_env().now_ns();
    pool.run(pieces, [&](int64_t piece, int) {
      seen.fetch_or(loop(data.data() + static_cast<size_t>(piece) * kPiece, kPiece),
                    std::memory_order_relaxed);
    });
    const double seconds = static_cast<double>(real_env().now_ns() - start) * 1e-9;
    rates.push_back(static_cast<double>(pieces) * static_cast<double>(kPiece) / seconds);
  }
  return median(rates);
}

}  // namespace strata::kernels
