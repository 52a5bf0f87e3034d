// Which frame a block gets: frames of several KV groups over one pool of slabs. A slab is owned by
// one group while any of its frames is taken. Pure arithmetic on ids: the bytes behind them are
// memory's. Holes are filled, lowest frame first, before a group takes another slab: that is why a
// sequence that is alone in the pool gets every block it was told it would get.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace strata::sched {

class FrameAllocator {
 public:
  /// `frames_per_slab`: per group, each >= 1.
  FrameAllocator(int64_t slabs, std::vector<int64_t> frames_per_slab);

  /// nullopt where neither the group's slabs nor the pool have room.
  std::optional<int64_t> take(int group);
  void give_back(int group, int64_t frame);

  int groups() const { return static_cast<int>(frames_per_slab_.size()); }
  /// At most so many slabs are owned from now on; where more are, none is taken until enough have
  /// come back. 0 to the number that there are.
  void set_limit(int64_t slabs);
  int64_t limit() const { return limit_; }
  /// That may still be taken.
  int64_t free_slabs() const { return std::max<int64_t>(0, limit_ - owned_slabs()); }
  int64_t owned_slabs() const { return slabs_ - static_cast<int64_t>(free_slabs_.size()); }
  /// Free frames in slabs that the group owns.
  int64_t holes(int group) const {
    return static_cast<int64_t>(holes_[static_cast<size_t>(group)].size());
  }
  int64_t owned_slabs(int group) const { return owned_[static_cast<size_t>(group)]; }
  int64_t frames_per_slab(int group) const { return frames_per_slab_[static_cast<size_t>(group)]; }

 private:
  int64_t slabs_;
  int64_t limit_;
  std::vector<int64_t> frames_per_slab_;
  std::vector<int64_t> owned_;  // slabs per group
  std::vector<int64_t> used_;   // frames per slab
  std::set<int64_t> free_slabs_;
  std::vector<std::set<int64_t>> holes_;  // per group: free frames in its slabs
};

}  // namespace strata::sched
