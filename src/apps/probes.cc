// Peaks come from kernels/probe.h; the disk is read past the page cache.
#include "apps/probes.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "kernels/probe.h"

namespace strata::apps {
namespace {

constexpr int64_t kProbeFileBytes = 256 << 20;
constexpr int64_t kProbeRead = 1 << 20;
constexpr int kProbeDepth = 4;

// Fills a new file past the page cache and hands its descriptor over; the name is gone at once.
Result<int> make_probe_file(const std::string& folder) {
  std::string path = join_path(folder, ".strata-disk-probe-XXXXXX");
  const int fd = ::mkostemp(path.data(), O_CLOEXEC | O_DIRECT);
  if (fd < 0) return fail(Code::kIo, folder + ": making a temporary file", std::strerror(errno));
  ::unlink(path.c_str());
  void* block = nullptr;
  const bool have = ::posix_memalign(&block, 4096, kProbeRead) == 0;
  bool wrote = have;
  if (have) std::memset(block, 0x5a, kProbeRead);
  for (int64_t at = 0; wrote && at < kProbeFileBytes; at += kProbeRead) {
    wrote = ::pwrite(fd, block, kProbeRead, at) == kProbeRead;
  }
  const int error = errno;
  ::free(block);
  if (wrote && ::fsync(fd) == 0) return fd;
  ::close(fd);
  return fail(Code::kIo, folder + ": writing a probe of 256 MiB", std::strerror(error));
}

}  // namespace

Result<void> probe_io_uring() {
  io_uring_params params{};
  const long fd = ::syscall(SYS_io_uring_setup, 4, &params);
  if (fd < 0) return fail(Code::kUnavailable, "io_uring", std::strerror(errno));
  ::close(static_cast<int>(fd));
  return {};
}

std::string gpu_driver(Env& env) {
  const auto text = env.read_system_file("/proc/driver/nvidia/version");
  return text ? text->substr(0, text->find('\n')) : std::string();
}

std::string machine_class(const engine::MachineFacts& facts) {
  switch (facts.isas.empty() ? kernels::Isa::kScalar : facts.isas.back()) {
    case kernels::Isa::kAmx:
      return "AMX";
    case kernels::Isa::kAvx512Bf16:
    case kernels::Isa::kAvx512:
      return "AVX-512 without AMX";
    case kernels::Isa::kAvx2:
      return "AVX2";
    case kernels::Isa::kScalar:
      break;
  }
  return "scalar";
}

void fill_pairs(ComputePool& pool, std::span<std::byte> memory) {
  constexpr int64_t kPiece = 1 << 20;
  pool.run(static_cast<int64_t>(memory.size()) / kPiece, [&](int64_t piece, int) {
    uint64_t state = static_cast<uint64_t>(piece) * 0x9e3779b97f4a7c15ull + 88172645463325252ull;
    for (int64_t at = 0; at < kPiece; at += 4) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      const uint32_t word = (static_cast<uint32_t>(state >> 32) & 0x807f807fu) | 0x3c003c00u;
      std::memcpy(memory.data() + piece * kPiece + at, &word, sizeof word);
    }
  });
}

MachinePeaks mean_of(const MachinePeaks& a, const MachinePeaks& b) {
  return {(a.read_bytes_per_s + b.read_bytes_per_s) / 2,
          (a.product_ops_per_s + b.product_ops_per_s) / 2, a.product_unit};
}

Result<PeakProbe> PeakProbe::create(device::Device& device, ComputePool& pool, int64_t bytes,
                                    kernels::Isa isa) {
  device::Buffer memory = TRY(device.allocate(bytes));
  fill_pairs(pool, memory.span());
  return PeakProbe(pool, std::move(memory), isa);
}

MachinePeaks PeakProbe::measure(int repeats) const {
  const SpinScope spin(*pool_);
  MachinePeaks peaks;
  peaks.read_bytes_per_s = kernels::read_bandwidth(*pool_, memory_.span(), repeats);
  const auto unit = kernels::best_bf16_unit(isa_);
  if (!unit) return peaks;
  peaks.product_unit = kernels::peak_unit_name(*unit);
  const auto rate = kernels::peak_rate(*pool_, *unit, repeats);
  if (rate) peaks.product_ops_per_s = *rate;
  return peaks;
}

Result<double> probe_disk(const std::string& folder) {
  const int fd = TRY(make_probe_file(folder));
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  // Twice through the file: long enough to average, short enough for a command that people wait
  // for.
  constexpr int64_t kReads = 2 * kProbeFileBytes / kProbeRead;
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> readers;
    for (int reader = 0; reader < kProbeDepth; reader++) {
      readers.emplace_back([&] {
        void* block = nullptr;
        if (::posix_memalign(&block, 4096, kProbeRead) != 0) failed = true;
        for (int64_t read; block != nullptr && (read = next++) < kReads;) {
          const int64_t at = read * kProbeRead % kProbeFileBytes;
          if (::pread(fd, block, kProbeRead, at) != kProbeRead) failed = true;
        }
        ::free(block);
      });
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  ::close(fd);
  if (failed) return fail(Code::kIo, folder + ": reading the disk probe", std::strerror(errno));
  return static_cast<double>(kReads * kProbeRead) / took.count();
}

}  // namespace strata::apps
