// See huge_memory.h.
#include "model/huge_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <utility>

#include "tensor/packed.h"

namespace strata::model {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

}  // namespace

Result<HugeMemory> HugeMemory::allocate(int64_t bytes) {
  HugeMemory memory;
  const int64_t wanted = tensor::round_up(bytes, kHugePage);
  if (wanted == 0) return memory;
  // One page more than needed, so that a 2 MiB-aligned piece lies inside; what stands over is given
  // back.
  const auto reserved = static_cast<size_t>(wanted + kHugePage);
  void* start = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) {
    return fail(Code::kResourceLimit, "no memory for weights or activations",
                fmt::format("{} bytes", wanted), {}, "use a smaller model or --dtype bf16");
  }
  const auto address = reinterpret_cast<int64_t>(start);
  const int64_t head = tensor::round_up(address, kHugePage) - address;
  auto* first = static_cast<std::byte*>(start) + head;
  if (head != 0) munmap(start, static_cast<size_t>(head));
  if (head != kHugePage) munmap(first + wanted, static_cast<size_t>(kHugePage - head));
  madvise(first, static_cast<size_t>(wanted),
          MADV_HUGEPAGE);  // a wish: plain pages serve where it is refused
  memory.data_ = first;
  memory.bytes_ = wanted;
  return memory;
}

HugeMemory::HugeMemory(HugeMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

HugeMemory& HugeMemory::operator=(HugeMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

HugeMemory::~HugeMemory() {
  if (data_ != nullptr) munmap(data_, static_cast<size_t>(bytes_));
}

}  // namespace strata::model
