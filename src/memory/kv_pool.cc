// Slab arithmetic and the book of owners.
#include "memory/kv_pool.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"

namespace strata::memory {
namespace {

int64_t worst_waste(const std::vector<int64_t>& block_bytes, int64_t slab_bytes) {
  int64_t worst = 0;
  for (const int64_t bytes : block_bytes) worst = std::max(worst, slab_bytes % bytes);
  return worst;
}

int64_t choose_slab_bytes(const std::vector<int64_t>& block_bytes) {
  const int64_t largest = std::ranges::max(block_bytes);
  const int64_t first = (largest + kSlabStep - 1) / kSlabStep * kSlabStep;
  int64_t best = first;
  for (int64_t bytes = first; bytes <= kMaxSlabBytes; bytes += kSlabStep) {
    const int64_t waste = worst_waste(block_bytes, bytes);
    if (waste * 100 <= bytes * 3) return bytes;
    // Shares are compared without division: waste / bytes < best waste / best.
    if (waste * best < worst_waste(block_bytes, best) * bytes) best = bytes;
  }
  return best;
}

std::string frame_name(int group, int64_t frame) {
  return "frame " + std::to_string(frame) + " of KV group " + std::to_string(group);
}

}  // namespace

SlabPlan plan_slabs(const std::vector<int64_t>& block_bytes) {
  CHECK(!block_bytes.empty() && std::ranges::min(block_bytes) > 0, "blocks hold something");
  SlabPlan plan;
  plan.slab_bytes = choose_slab_bytes(block_bytes);
  plan.frame_bytes = block_bytes;
  for (const int64_t bytes : block_bytes) plan.frames_per_slab.push_back(plan.slab_bytes / bytes);
  plan.worst_waste_bytes = worst_waste(block_bytes, plan.slab_bytes);
  return plan;
}

KvPool::KvPool(device::Buffer buffer, MemoryAccount& account, SlabPlan plan, int64_t slabs)
    : buffer_(std::move(buffer)),
      charge_(account, MemoryTag::kKv, buffer_.bytes()),
      account_(&account),
      plan_(std::move(plan)),
      owners_(static_cast<size_t>(slabs), -1),
      used_in_slab_(static_cast<size_t>(slabs), 0),
      in_use_(plan_.frame_bytes.size(), 0),
      slab_frames_(static_cast<size_t>(slabs)) {}

Result<KvPool> KvPool::create(device::Device& device, MemoryAccount& account, SlabPlan plan,
                              int64_t slabs) {
  CHECK(slabs > 0, "a pool has slabs");
  const int64_t bytes = slabs * plan.slab_bytes;
  auto buffer = device.allocate(bytes);
  if (!buffer) return std::unexpected(std::move(buffer).error().with_context("the KV pool"));
  return KvPool(std::move(*buffer), account, std::move(plan), slabs);
}

void KvPool::discard(size_t slab) {
  buffer_.discard(static_cast<int64_t>(slab) * plan_.slab_bytes, plan_.slab_bytes);
}

void KvPool::set_limit(int64_t slabs) {
  limited_ = true;
  charge_ = Charge(*account_, MemoryTag::kKv, slabs * plan_.slab_bytes);
  for (size_t slab = 0; slab < owners_.size(); slab++) {
    if (owners_[slab] < 0) discard(slab);
  }
}

Result<void> KvPool::check_frame(int group, int64_t frame) const {
  if (group < 0 || std::cmp_greater_equal(group, plan_.frame_bytes.size())) {
    return fail(Code::kInvalidArgument, "KV group", std::to_string(group),
                "below " + std::to_string(plan_.frame_bytes.size()));
  }
  const int64_t frames = slabs() * plan_.frames_per_slab[static_cast<size_t>(group)];
  if (frame < 0 || frame >= frames) {
    return fail(Code::kInvalidArgument, frame_name(group, frame), {},
                "a frame below " + std::to_string(frames));
  }
  return {};
}

Result<void> KvPool::acquire(int group, int64_t frame) {
  TRY(check_frame(group, frame));
  const int64_t per_slab = plan_.frames_per_slab[static_cast<size_t>(group)];
  const auto slab = static_cast<size_t>(frame / per_slab);
  if (owners_[slab] >= 0 && owners_[slab] != group) {
    return fail(Code::kInvalidArgument, frame_name(group, frame),
                "a slab of group " + std::to_string(owners_[slab]), "a free slab or its own");
  }
  std::vector<bool>& taken = slab_frames_[slab];
  if (owners_[slab] < 0) taken.assign(static_cast<size_t>(per_slab), false);
  auto bit = taken[static_cast<size_t>(frame % per_slab)];
  if (bit) return fail(Code::kInvalidArgument, frame_name(group, frame), "a taken one");
  bit = true;
  owners_[slab] = group;
  used_in_slab_[slab]++;
  in_use_[static_cast<size_t>(group)]++;
  return {};
}

Result<void> KvPool::release(int group, int64_t frame) {
  TRY(check_frame(group, frame));
  const int64_t per_slab = plan_.frames_per_slab[static_cast<size_t>(group)];
  const auto slab = static_cast<size_t>(frame / per_slab);
  const auto index = static_cast<size_t>(frame % per_slab);
  if (owners_[slab] != group || !slab_frames_[slab][index]) {
    return fail(Code::kInvalidArgument, frame_name(group, frame), "a free one", "a taken one");
  }
  slab_frames_[slab][index] = false;
  in_use_[static_cast<size_t>(group)]--;
  if (--used_in_slab_[slab] > 0) return {};
  owners_[slab] = -1;
  if (limited_) discard(slab);
  return {};
}

int64_t KvPool::offset(int group, int64_t frame) const {
  const int64_t per_slab = plan_.frames_per_slab[static_cast<size_t>(group)];
  return frame / per_slab * plan_.slab_bytes +
         frame % per_slab * plan_.frame_bytes[static_cast<size_t>(group)];
}

int64_t KvPool::owned_slabs(int group) const { return std::ranges::count(owners_, group); }

}  // namespace strata::memory
