// Who holds how many bytes, by purpose: every large allocation is charged to a tag and the charge
// is given back with it. What the operating system counts beside that (code, stacks, small objects)
// is not in here.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace strata::memory {

enum class MemoryTag : uint8_t { kWeights, kRing, kKv, kActivations, kLogits, kText };
inline constexpr int kMemoryTags = 6;

std::string_view tag_name(MemoryTag tag);

/// Thread-safe counters; must outlive every charge.
class MemoryAccount {
 public:
  int64_t bytes(MemoryTag tag) const { return bytes_[static_cast<size_t>(tag)].load(); }
  int64_t total() const;
  /// "weights 2.47 GB, KV 1.07 GB, ...": tags that hold nothing are left out.
  std::string summary() const;

 private:
  friend class Charge;
  void add(MemoryTag tag, int64_t bytes) { bytes_[static_cast<size_t>(tag)].fetch_add(bytes); }

  std::array<std::atomic<int64_t>, kMemoryTags> bytes_{};
};

/// Bytes charged to a tag for as long as this lives.
class [[nodiscard]] Charge {
 public:
  Charge() = default;
  Charge(MemoryAccount& account, MemoryTag tag, int64_t bytes)
      : account_(&account), tag_(tag), bytes_(bytes) {
    account_->add(tag_, bytes_);
  }
  Charge(Charge&& other) noexcept { swap(other); }
  Charge& operator=(Charge&& other) noexcept {
    Charge taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Charge() {
    if (account_ != nullptr) account_->add(tag_, -bytes_);
  }

 private:
  void swap(Charge& other) noexcept {
    std::swap(account_, other.account_);
    std::swap(tag_, other.tag_);
    std::swap(bytes_, other.bytes_);
  }

  MemoryAccount* account_ = nullptr;
  MemoryTag tag_ = MemoryTag::kText;
  int64_t bytes_ = 0;
};

/// "2.47 GB", "512 B": powers of ten, three digits.
std::string format_bytes(int64_t bytes);

}  // namespace strata::memory
