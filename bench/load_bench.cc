// Speed of loading a model whose files are in the page cache, beside what the machine can do at
// all: as many threads with plain reads of the same files into fresh huge pages, in turn in one
// run.
//
//   load_bench MODEL [repeats]
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "base/compute_pool.h"
#include "bench.h"
#include "device/cpu_device.h"
#include "engine/opened_model.h"
#include "kernels/kernel_table.h"

namespace strata::engine {
namespace {

constexpr int64_t kPiece = 1 << 20;

struct Piece {
  const ReadableFile* file;
  uint64_t offset;
  size_t bytes;
  int64_t at;  // in the memory
};

std::vector<const ReadableFile*> files_of(const OpenedModel& opened) {
  const model::WeightFiles from = opened.files();
  if (from.pack != nullptr) return {&from.pack->file()};
  std::vector<const ReadableFile*> files;
  for (size_t i = 0; i < from.checkpoint->file_count(); i++) {
    files.push_back(&from.checkpoint->file(i));
  }
  return files;
}

std::vector<Piece> cut(const std::vector<const ReadableFile*>& files, int64_t& total) {
  std::vector<Piece> pieces;
  for (const ReadableFile* each : files) {
    const ReadableFile& file = *each;
    for (uint64_t offset = 0; offset < file.size(); offset += kPiece) {
      const auto bytes = static_cast<size_t>(std::min<uint64_t>(kPiece, file.size() - offset));
      pieces.push_back({&file, offset, bytes, total});
      total += static_cast<int64_t>(bytes);
    }
  }
  return pieces;
}

double seconds_since(int64_t start) {
  return static_cast<double>(real_env().now_ns() - start) * 1e-9;
}

Result<double> plain_seconds(const std::vector<const ReadableFile*>& files, ComputePool& pool) {
  int64_t total = 0;
  const std::vector<Piece> pieces = cut(files, total);
  device::CpuDevice device;
  const int64_t start = real_env().now_ns();
  const device::Buffer memory = TRY(device.allocate(total));
  std::atomic<bool> failed{false};
  pool.run(static_cast<int64_t>(pieces.size()), [&](int64_t item, int) {
    const Piece& piece = pieces[static_cast<size_t>(item)];
    if (!piece.file->read_at(piece.offset, {memory.data() + piece.at, piece.bytes})) failed = true;
  });
  if (failed) return fail(Code::kIo, "reading the model's files");
  return seconds_since(start);
}

Result<double> load_seconds(const OpenedModel& opened, const model::LoadOptions& options) {
  device::CpuDevice device;
  const int64_t start = real_env().now_ns();
  const model::Weights weights =
      TRY(model::load_weights(device, opened.spec(), opened.files(), opened.plan(), options));
  return seconds_since(start);
}

Result<void> run(const std::string& folder, int repeats) {
  const auto opened = TRY(OpenedModel::open(real_env(), folder, {}, model::WeightDtype::kAuto));
  const auto table = TRY(kernels::make_cpu_kernel_table(kernels::available_isas().back()));
  const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const model::LoadOptions options{.threads = threads, .pack = table.pack};
  const auto pool = TRY(ComputePool::create(threads));
  const double gb = static_cast<double>(opened->plan().read_bytes) * 1e-9;
  const auto files = files_of(*opened);
  TRY(plain_seconds(files, *pool));  // into the page cache
  std::vector<double> ratios, plain_rates, load_rates;
  for (int repeat = 0; repeat < repeats; repeat++) {
    const double plain = TRY(plain_seconds(files, *pool));
    const double load = TRY(load_seconds(*opened, options));
    ratios.push_back(plain / load);
    plain_rates.push_back(gb / plain);
    load_rates.push_back(gb / load);
    fmt::print("plain read {:.2f} GB/s, load {:.2f} GB/s\n", plain_rates.back(), load_rates.back());
  }
  fmt::print("medians of {}: plain read {:.2f} GB/s, load {:.2f} GB/s, {:.0f} % of it\n", repeats,
             bench::median(plain_rates), bench::median(load_rates), 100 * bench::median(ratios));
  return {};
}

int run_bench(const std::string& folder, int repeats) {
  const auto done = run(folder, repeats);
  if (done) return 0;
  fmt::print(stderr, "load_bench: {}\n", done.error().message());
  return exit_code(done.error().code);
}

}  // namespace
}  // namespace strata::engine

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("load_bench MODEL [repeats]\n", stderr);
    return 64;
  }
  return strata::bench::guarded([&] {
    return strata::engine::run_bench(argv[1], argc > 2 ? std::max(1, std::atoi(argv[2])) : 5);
  });
}
