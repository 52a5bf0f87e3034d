// How near the ring comes to the disk: reads of 1 MiB past the page cache at depths 4, 8 and 16,
// into little memory and into as much as the ring has, and the ring over the same file with a
// consumer that computes nothing, in turn. D* is the best of the plain reads. Bound: the disk.
//
//   ring_bench FILE [--seconds 10] [--rounds 2] [--unit-mib 96] [--ring-mib 384]
//              [--request-kib 4096] [--depth-mib 32] [--io auto]
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "base/env.h"
#include "bench.h"
#include "device/cpu_device.h"
#include "memory/ring.h"

namespace strata::memory {
namespace {

constexpr size_t kRequest = 1 << 20;

double now_s() { return static_cast<double>(real_env().now_ns()) * 1e-9; }

double cpu_s() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Speed {
  double bytes_per_s = 0;
  double cpu_share = 0;  // of one core
};

void show(const std::string& what, const Speed& speed, double best) {
  fmt::print("{:<34} {:>6.3f} GB/s  {:>5.1f} % of a core", what, speed.bytes_per_s * 1e-9,
             100 * speed.cpu_share);
  if (best > 0) fmt::print("  {:>5.1f} % of D*", 100 * speed.bytes_per_s / best);
  fmt::print("\n");
}

struct Plainly {
  int depth = 16;
  int64_t buffer_bytes = 0;  // around which reads go; little of it stays in caches
  IoKind io = IoKind::kAuto;
  double seconds = 0;
};

// Whole requests of the file from front to back, around and around.
Result<Speed> read_plainly(const std::string& path, uint64_t bytes, const Plainly& how) {
  device::CpuDevice device;
  const auto buffer = TRY(device.allocate(how.buffer_bytes));
  const auto queue = TRY(real_env().open_read_queue(
      {.paths = {path}, .io = how.io, .depth = how.depth, .buffer = buffer.span()}));
  const uint64_t requests = bytes / kRequest;
  const uint64_t slots = static_cast<uint64_t>(how.buffer_bytes) / kRequest;
  uint64_t next = 0, ended = 0;
  std::vector<ReadOutcome> outcomes;
  const double cpu = cpu_s(), start = now_s();
  double end = start;
  for (; end - start < how.seconds; end = now_s()) {
    for (; next - ended < static_cast<uint64_t>(how.depth); next++) {
      queue->submit({.id = next,
                     .file = 0,
                     .offset = next % requests * kRequest,
                     .out = buffer.span().subspan(next % slots * kRequest, kRequest),
                     .needed = kRequest});
    }
    outcomes.clear();
    queue->wait(outcomes);
    for (const ReadOutcome& outcome : outcomes) TRY(Result<void>(outcome.status));
    ended += outcomes.size();
  }
  const uint64_t read = ended * kRequest;
  return Speed{static_cast<double>(read) / (end - start), (cpu_s() - cpu) / (end - start)};
}

// The file cut into units of one size.
class EvenUnits : public UnitSource {
 public:
  EvenUnits(const std::string& path, uint64_t bytes, int64_t unit_bytes) : paths_{path} {
    for (uint64_t at = 0; at + static_cast<uint64_t>(unit_bytes) <= bytes;
         at += static_cast<uint64_t>(unit_bytes)) {
      units_.push_back(
          {.name = fmt::format("{}", at), .pieces = {{0, at, unit_bytes}}, .bytes = unit_bytes});
    }
  }
  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<StoredUnit>& units() const override { return units_; }
  bool ready_made() const override { return true; }
  Result<void> finish(size_t, RawUnit, std::span<std::byte>) const override { return {}; }

 private:
  std::vector<std::string> paths_;
  std::vector<StoredUnit> units_;
};

Result<Speed> read_through_ring(const UnitSource& source, const RingConfig& config,
                                double seconds) {
  device::CpuDevice device;
  MemoryAccount account;
  std::vector<size_t> order;
  for (size_t unit = 0; unit < source.units().size(); unit++) order.push_back(unit);
  const auto ring = TRY(Ring::create(real_env(), device, account, source, order, config));
  double start = now_s(), cpu = cpu_s(), end = start;
  int64_t read = 0;
  // The first turn of the ring faults its pages in.
  for (size_t i = 0; end - start < seconds; i++, end = now_s()) {
    const auto held = TRY(ring->acquire(i % order.size(), {}));
    read += source.units()[i % order.size()].bytes;
    ring->release(held);
    if (i != static_cast<size_t>(config.bytes / source.units()[0].bytes)) continue;
    start = now_s();
    cpu = cpu_s();
    read = 0;
  }
  return Speed{static_cast<double>(read) / (end - start), (cpu_s() - cpu) / (end - start)};
}

Result<void> run_bench(const std::string& path, const bench::Options& options) {
  const IoKind io = TRY(parse_io_kind(options.get("io", "auto")));
  const double seconds = options.number("seconds", 10);
  const uint64_t bytes = TRY(real_env().open_readable(path))->size();
  const EvenUnits source(path, bytes, static_cast<int64_t>(options.number("unit-mib", 96)) << 20);
  if (source.units().size() < 2) {
    return fail(Code::kInvalidArgument, path, memory::format_bytes(static_cast<int64_t>(bytes)),
                "at least two units of --unit-mib");
  }
  const RingConfig config{
      .bytes = static_cast<int64_t>(options.number("ring-mib", 384)) << 20,
      .io = io,
      .request_bytes = static_cast<int64_t>(options.number("request-kib", 4096)) << 10,
      .depth_bytes = static_cast<int64_t>(options.number("depth-mib", 32)) << 20};
  for (int round = 0; round < static_cast<int>(options.number("rounds", 2)); round++) {
    double best = 0;
    for (const int64_t buffer : {int64_t{32 << 20}, config.bytes}) {
      for (const int depth : {4, 8, 16}) {
        const Speed speed = TRY(read_plainly(path, bytes, {depth, buffer, io, seconds}));
        best = std::max(best, speed.bytes_per_s);
        show(fmt::format("{} reads of 1 MiB into {} MiB", depth, buffer >> 20), speed, 0);
      }
    }
    show("ring", TRY(read_through_ring(source, config, seconds)), best);
  }
  return {};
}

}  // namespace
}  // namespace strata::memory

int main(int argc, char** argv) {
  return strata::bench::guarded([&] {
    if (argc < 2) {
      fmt::print(stderr, "usage: ring_bench FILE [--seconds S] ...\n");
      return 64;
    }
    const auto done =
        strata::memory::run_bench(argv[1], strata::bench::Options(argc - 1, argv + 1));
    if (!done) fmt::print(stderr, "{}\n", done.error().message());
    return done ? 0 : 1;
  });
}
