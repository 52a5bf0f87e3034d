// One anonymous, zeroed, 2 MiB-aligned piece of memory that asks for huge pages: weights and
// activations live in such.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"

namespace strata::model {

/// Owns its pages; moves, never copies. Contents start as zeros.
class HugeMemory {
 public:
  /// Fails with kResourceLimit where the system refuses. Pages are taken when first touched.
  static Result<HugeMemory> allocate(int64_t bytes);
  HugeMemory() = default;
  HugeMemory(HugeMemory&& other) noexcept;
  HugeMemory& operator=(HugeMemory&& other) noexcept;
  ~HugeMemory();

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace strata::model
