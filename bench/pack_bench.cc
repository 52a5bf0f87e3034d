// Speed of packing checkpoint rows into the compute layout: bytes packed per second with all
// threads, source and destination on huge pages and far larger than the caches. The loader has to
// keep up with the fastest disks (5-7 GB/s).
//
//   pack_bench [threads]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/compute_pool.h"
#include "base/env.h"
#include "bench.h"
#include "kernels/kernel_table.h"

namespace strata::kernels {
namespace {

using tensor::DType;
using tensor::PackArgs;
using tensor::ProductKind;

constexpr int64_t kRows = 8192, kColumns = 2048, kMatrices = 16, kRunRows = 256;

double seconds_to_pack(ComputePool& pool, PackFn pack, const PackArgs& whole) {
  const SpinScope spin(pool);
  const int64_t runs = kMatrices * kRows / kRunRows;
  const auto element = static_cast<int64_t>(tensor::dtype_bytes(whole.src_dtype));
  const int64_t start = real_env().now_ns();
  pool.run(runs, [&](int64_t run, int) {
    PackArgs args = whole;
    args.first_row = run * kRunRows;
    args.rows = kRunRows;
    args.src = static_cast<const std::byte*>(whole.src) + args.first_row * kColumns * element;
    pack(args);
  });
  return static_cast<double>(real_env().now_ns() - start) * 1e-9;
}

int run_bench(int threads) {
  auto pool = ComputePool::create(threads);
  auto table = make_cpu_kernel_table(available_isas().back());
  if (!pool || !table) return 1;
  constexpr size_t kBytes = size_t{kMatrices} * kRows * kColumns * 4;
  const bench::HugePages src(kBytes), dst(kBytes);
  std::memset(src.data, 1, kBytes);
  std::memset(dst.data, 1, kBytes);
  for (const ProductKind kind : {ProductKind::kBf16, ProductKind::kF16, ProductKind::kF32}) {
    for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF32}) {
      const PackArgs args{
          .kind = kind, .src_dtype = dtype, .src = src.data, .k = kColumns, .dst = dst.data};
      double best = 1e9;
      for (int round = 0; round < 5; round++)
        best = std::min(best, seconds_to_pack(**pool, table->pack, args));
      const double read = static_cast<double>(kMatrices * kRows * kColumns) *
                          static_cast<double>(tensor::dtype_bytes(dtype));
      fmt::print("kind {} from {}: {:.2f} GB/s read\n", static_cast<int>(kind),
                 tensor::dtype_name(dtype), read / best * 1e-9);
    }
  }
  return 0;
}

}  // namespace
}  // namespace strata::kernels

int main(int argc, char** argv) {
  return strata::bench::guarded(
      [&] { return strata::kernels::run_bench(argc > 1 ? std::atoi(argv[1]) : 2); });
}
