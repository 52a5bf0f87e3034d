// Slabs and holes as ordered sets, so that the choice depends on nothing but what is taken.
#include "sched/frame_allocator.h"

#include <utility>

#include "base/check.h"

namespace strata::sched {

FrameAllocator::FrameAllocator(int64_t slabs, std::vector<int64_t> frames_per_slab)
    : slabs_(slabs),
      limit_(slabs),
      frames_per_slab_(std::move(frames_per_slab)),
      owned_(frames_per_slab_.size(), 0),
      used_(static_cast<size_t>(slabs), 0),
      holes_(frames_per_slab_.size()) {
  for (int64_t slab = 0; slab < slabs; slab++) free_slabs_.insert(free_slabs_.end(), slab);
}

void FrameAllocator::set_limit(int64_t slabs) {
  CHECK(slabs >= 0 && slabs <= slabs_, "a limit beyond the pool");
  limit_ = slabs;
}

std::optional<int64_t> FrameAllocator::take(int group) {
  const auto g = static_cast<size_t>(group);
  const int64_t per_slab = frames_per_slab_[g];
  std::set<int64_t>& holes = holes_[g];
  if (holes.empty()) {
    if (free_slabs() == 0) return std::nullopt;
    const int64_t slab = *free_slabs_.begin();
    free_slabs_.erase(free_slabs_.begin());
    owned_[g]++;
    for (int64_t i = 0; i < per_slab; i++) holes.insert(holes.end(), slab * per_slab + i);
  }
  const int64_t frame = *holes.begin();
  holes.erase(holes.begin());
  used_[static_cast<size_t>(frame / per_slab)]++;
  return frame;
}

void FrameAllocator::give_back(int group, int64_t frame) {
  const auto g = static_cast<size_t>(group);
  const int64_t per_slab = frames_per_slab_[g];
  const int64_t slab = frame / per_slab;
  int64_t& used = used_[static_cast<size_t>(slab)];
  CHECK(used > 0, "a frame of an empty slab is given back");
  const bool inserted = holes_[g].insert(frame).second;
  CHECK(inserted, "a frame is given back twice");
  if (--used > 0) return;
  holes_[g].erase(holes_[g].lower_bound(slab * per_slab),
                  holes_[g].lower_bound((slab + 1) * per_slab));
  owned_[g]--;
  free_slabs_.insert(slab);
}

}  // namespace strata::sched
