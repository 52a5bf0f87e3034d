// Huge-page memory through mmap, copies through memcpy.
#include "device/cpu_device.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "base/check.h"

namespace strata::device {
namespace {

constexpr int64_t kHugePage = 2 << 20;
// Beyond any machine's memory; keeps the rounding below from overflowing.
constexpr int64_t kMaxBytes = int64_t{1} << 46;

int64_t round_to_huge(int64_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

}  // namespace

std::byte* map_huge(int64_t bytes) {
  if (bytes <= 0 || bytes > kMaxBytes) return nullptr;
  const auto want = static_cast<size_t>(round_to_huge(bytes));
  // One huge page more than wanted, so that an aligned start lies inside; the ends are given back.
  const size_t mapped = want + kHugePage;
  void* start = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  auto* raw = static_cast<std::byte*>(start);
  const auto address = reinterpret_cast<uintptr_t>(raw);
  const size_t head = (kHugePage - address % kHugePage) % kHugePage;
  if (head != 0) ::munmap(raw, head);
  ::munmap(raw + head + want, mapped - head - want);
  // Best effort: where huge pages are switched off, small ones hold the same bytes.
  ::madvise(raw + head, want, MADV_HUGEPAGE);
  return raw + head;
}

void unmap_huge(std::byte* data, int64_t bytes) {
  ::munmap(data, static_cast<size_t>(round_to_huge(bytes)));
}

Result<Buffer> CpuDevice::allocate(int64_t bytes) {
  if (bytes == 0) return Buffer();
  std::byte* data = map_huge(bytes);
  if (data == nullptr) {
    return fail(Code::kResourceLimit, "allocating memory", std::to_string(bytes) + " bytes",
                "less than the system's limits allow", "see `ulimit -v` and free memory");
  }
  return Buffer(this, data, bytes);
}

void CpuDevice::free(std::byte* data, int64_t bytes) { unmap_huge(data, bytes); }

void CpuDevice::discard(std::byte* data, int64_t bytes) {
  const int refused = ::madvise(data, static_cast<size_t>(bytes), MADV_DONTNEED);
  CHECK(refused == 0, "whole pages of our own memory");
}

Event CpuDevice::copy_async(int stream, std::byte* to, const std::byte* from, int64_t bytes) {
  CHECK(stream == 0, "the CPU has one stream");
  std::memcpy(to, from, static_cast<size_t>(bytes));
  return {};
}

Event CpuDevice::record(int stream) {
  CHECK(stream == 0, "the CPU has one stream");
  return {};
}

void CpuDevice::stream_wait(int stream, Event event) {
  CHECK(stream == 0, "the CPU has one stream");
  CHECK(event.id == 0, "an event of another device");
}

bool CpuDevice::ready(Event event) {
  CHECK(event.id == 0, "an event of another device");
  return true;
}

void CpuDevice::wait(Event event) { CHECK(event.id == 0, "an event of another device"); }

}  // namespace strata::device
