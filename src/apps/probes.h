// Measurements and trials of the machine for `doctor` and `bench`: peaks of memory, arithmetic and
// disk, and what can only be found out by trying. Facts that are merely read are
// engine/machine.h's. Decides nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/compute_pool.h"
#include "base/env.h"
#include "base/status.h"
#include "device/device.h"
#include "engine/machine.h"

namespace strata::apps {

/// "AMX", "AVX-512 without AMX", "AVX2" or "scalar": what every benchmark figure names.
std::string machine_class(const engine::MachineFacts& facts);

/// Whether a queue can be made here; the reason why not is the system's.
Result<void> probe_io_uring();

/// The NVIDIA driver's version line, or empty.
std::string gpu_driver(Env& env);

/// Fills memory with pairs of bf16 numbers about +-0.01: on zeros a core clocks higher than it ever
/// does on data.
void fill_pairs(ComputePool& pool, std::span<std::byte> memory);

/// Peaks as of now. Arithmetic: the unit that bf16 products run on best; 0 where there is none.
struct MachinePeaks {
  double read_bytes_per_s = 0;
  double product_ops_per_s = 0;
  std::string product_unit;
};

/// For what ran between two measurements.
MachinePeaks mean_of(const MachinePeaks& a, const MachinePeaks& b);

/// Probes this machine's peaks with the threads of a pool, as often as asked: rates drift on shared
/// machines, so a benchmark probes again beside each of its own figures. Owns the memory that
/// bandwidth is measured on: far larger than any cache, on huge pages, written once. `device` and
/// `pool` must outlive it.
class PeakProbe {
 public:
  /// Arithmetic is measured on the best unit that kernels up to `isa` use.
  static Result<PeakProbe> create(device::Device& device, ComputePool& pool, int64_t bytes,
                                  kernels::Isa isa);
  /// Medians of `repeats` runs each.
  MachinePeaks measure(int repeats) const;

 private:
  PeakProbe(ComputePool& pool, device::Buffer memory, kernels::Isa isa)
      : pool_(&pool), memory_(std::move(memory)), isa_(isa) {}

  ComputePool* pool_;
  device::Buffer memory_;
  kernels::Isa isa_;
};

/// Bytes per second of 1 MiB O_DIRECT reads, four in flight, of a temporary file of 256 MiB in
/// `folder`; the file is removed.
Result<double> probe_disk(const std::string& folder);

}  // namespace strata::apps
