// The memory of all KV blocks: one reservation, carved into slabs. A slab is owned by one KV group
// at a time and given back when its last frame is released. Who gets which frame is decided above
// and arrives as frame ids; this file says where a frame lies and refuses what contradicts itself.
// Knows no sequences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "device/device.h"
#include "memory/account.h"

namespace strata::memory {

/// How slabs are cut, as plain numbers. Frame ids of a group count through all slabs: frame /
/// frames_per_slab is the slab.
struct SlabPlan {
  int64_t slab_bytes = 0;                // a multiple of 2 MiB
  std::vector<int64_t> frame_bytes;      // per group: the group's block size
  std::vector<int64_t> frames_per_slab;  // per group
  int64_t worst_waste_bytes = 0;         // per slab: what the worst-fitting group leaves over
};

inline constexpr int64_t kSlabStep = 2 << 20;
inline constexpr int64_t kMaxSlabBytes = 64 << 20;

/// The smallest multiple of 2 MiB that holds whole blocks of every group with at most 3 % left
/// over; where none up to 64 MiB does, the one that leaves least. A block larger than 64 MiB gets a
/// slab of its own. `block_bytes`: per group, each > 0.
SlabPlan plan_slabs(const std::vector<int64_t>& block_bytes);

/// Not thread-safe: the engine's thread owns it.
class KvPool {
 public:
  /// Reserves `slabs` slabs on `device` (pages are taken when first used) and charges them to
  /// MemoryTag::kKv.
  static Result<KvPool> create(device::Device& device, MemoryAccount& account, SlabPlan plan,
                               int64_t slabs);

  std::byte* base() const { return buffer_.data(); }
  const SlabPlan& plan() const { return plan_; }
  int64_t slabs() const { return static_cast<int64_t>(owners_.size()); }
  int64_t bytes() const { return buffer_.bytes(); }

  /// At most so many slabs will be owned: the charge becomes theirs, and from now on the pages of
  /// every slab without an owner go back to the system. Who takes frames keeps to it.
  void set_limit(int64_t slabs);

  /// Takes a frame for its group; the first frame in a slab makes the group its owner.
  /// kInvalidArgument where the frame does not exist, is taken, or lies in another group's slab.
  Result<void> acquire(int group, int64_t frame);
  /// Gives a frame back; a slab without frames has no owner.
  Result<void> release(int group, int64_t frame);
  /// Bytes from base() to the frame, a multiple of 4 KiB. The frame must exist.
  int64_t offset(int group, int64_t frame) const;

  /// The group that owns a slab, or -1.
  int owner(int64_t slab) const { return owners_[static_cast<size_t>(slab)]; }
  int64_t frames_in_use(int group) const { return in_use_[static_cast<size_t>(group)]; }
  int64_t owned_slabs(int group) const;

 private:
  KvPool(device::Buffer buffer, MemoryAccount& account, SlabPlan plan, int64_t slabs);
  void discard(size_t slab);
  Result<void> check_frame(int group, int64_t frame) const;

  device::Buffer buffer_;
  Charge charge_;
  MemoryAccount* account_;
  bool limited_ = false;
  SlabPlan plan_;
  std::vector<int> owners_;                     // per slab
  std::vector<int64_t> used_in_slab_;           // per slab
  std::vector<int64_t> in_use_;                 // per group
  std::vector<std::vector<bool>> slab_frames_;  // per slab: which of its frames are taken
};

}  // namespace strata::memory
