// Residents are read by a queue of their own, each to its final place; streamed units come from the
// ring and are finished, where that is needed, in one buffer that the next unit takes over.
#include "memory/weight_store.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "memory/read_plan.h"

namespace strata::memory {
namespace {

int64_t round_up(int64_t bytes, int64_t step) { return (bytes + step - 1) / step * step; }

// Reads units one behind the other, many requests under way, into places of their own.
class ResidentReader {
 public:
  ResidentReader(ReadQueue& queue, int depth, const std::function<void(int64_t)>& progress)
      : queue_(queue), depth_(depth), progress_(progress) {}

  Result<void> read(const UnitReadPlan& plan, std::byte* place) {
    for (const PlannedRead& read : plan.reads) {
      if (under_way_ == depth_) TRY(wait());
      queue_.submit({.id = static_cast<uint64_t>(read.needed),
                     .file = read.file,
                     .offset = read.offset,
                     .out = {place + read.at, static_cast<size_t>(read.bytes)},
                     .needed = static_cast<size_t>(read.needed)});
      under_way_++;
    }
    while (under_way_ > 0) TRY(wait());
    return {};
  }

 private:
  Result<void> wait() {
    std::vector<ReadOutcome> outcomes;
    queue_.wait(outcomes);
    under_way_ -= static_cast<int>(outcomes.size());
    for (const ReadOutcome& outcome : outcomes) {
      TRY(Result<void>(outcome.status));
      done_ += static_cast<int64_t>(outcome.id);
    }
    if (progress_) progress_(done_);
    return {};
  }

  ReadQueue& queue_;
  const int depth_;
  const std::function<void(int64_t)>& progress_;
  int under_way_ = 0;
  int64_t done_ = 0;
};

}  // namespace

WeightStore::WeightStore(const UnitSource& source, StoreConfig config)
    : source_(source), config_(std::move(config)), readings_(source.units().size()) {}

Result<std::unique_ptr<WeightStore>> WeightStore::create(device::Device& device,
                                                         MemoryAccount& account,
                                                         const UnitSource& source,
                                                         StoreConfig config) {
  CHECK(config.resident.size() == source.units().size(), "one home for every unit");
  std::unique_ptr<WeightStore> store(new WeightStore(source, std::move(config)));
  store->device_ = &device;
  store->account_ = &account;
  int64_t bytes = 0, largest = 0;
  size_t part = 0;
  for (size_t unit = 0; unit < source.units().size(); unit++) {
    const StoredUnit& stored = source.units()[unit];
    store->offsets_.push_back(bytes);
    store->first_parts_.push_back(part);
    if (store->resident(unit)) bytes += round_up(stored.bytes, store->config_.alignment);
    for (const size_t end = part + stored.parts; part < end; part++) {
      if (!store->resident(unit)) largest = std::max(largest, source.parts()[part].bytes);
    }
  }
  store->residents_ = TRY(device.allocate(bytes));
  store->resident_charge_ = Charge(account, MemoryTag::kWeights, bytes);
  if (!source.ready_made() && largest > 0) {
    store->finished_ = TRY(device.allocate(largest));
    store->finished_charge_ = Charge(account, MemoryTag::kRing, largest);
  }
  return store;
}

std::byte* WeightStore::resident_place(size_t unit) const {
  return resident(unit) ? residents_.data() + offsets_[unit] : nullptr;
}

Result<void> WeightStore::read_residents(Env& env, const std::function<void(int64_t)>& progress) {
  CHECK(source_.ready_made(), "units that must be finished are loaded by their source");
  const auto depth =
      static_cast<int>(std::max<int64_t>(2, config_.ring.depth_bytes / config_.ring.request_bytes));
  const auto queue =
      TRY(env.open_read_queue({.paths = source_.paths(), .io = config_.ring.io, .depth = depth}));
  ResidentReader reader(*queue, depth, progress);
  for (size_t unit = 0; unit < source_.units().size(); unit++) {
    if (!resident(unit)) continue;
    const StoredUnit& stored = source_.units()[unit];
    const UnitReadPlan plan = plan_reads(stored, config_.ring.request_bytes);
    CHECK(plan.piece_starts == std::vector<int64_t>{0} &&
              plan.place_bytes <= round_up(stored.bytes, config_.alignment),
          "a ready-made unit is one piece at a whole block");
    std::byte* place = resident_place(unit);
    const auto read = reader.read(plan, place);
    if (!read) return std::unexpected(Status(read.error()).with_context("unit " + stored.name));
    const std::span<const std::byte> whole(place, static_cast<size_t>(stored.pieces[0].bytes));
    if (stored.checksum) TRY(compare(unit, checksum_of(whole)));
  }
  return {};
}

Result<void> WeightStore::start_streaming(Env& env) {
  std::vector<size_t> order;
  for (size_t unit = 0; unit < source_.units().size(); unit++) {
    if (resident(unit)) continue;
    for (size_t part = 0; part < source_.units()[unit].parts; part++) {
      order.push_back(first_parts_[unit] + part);
    }
  }
  if (order.empty()) return {};
  ring_ = TRY(Ring::create(env, *device_, *account_, source_, std::move(order), config_.ring));
  return {};
}

// Different units at different passes, so that no pass takes much longer than another.
bool WeightStore::verification_due(size_t unit) {
  const int64_t reading = readings_[unit]++;
  if (!source_.units()[unit].checksum) return false;
  return reading == 0 ||
         (reading + static_cast<int64_t>(unit)) % std::max<int64_t>(1, config_.verify_every) == 0;
}

Result<void> WeightStore::compare(size_t unit, uint64_t found) const {
  const StoredUnit& stored = source_.units()[unit];
  if (found == *stored.checksum) return {};
  const UnitPiece& piece = stored.pieces.front();
  return fail(Code::kInvalidData,
              fmt::format("{}: unit {} at byte {}: checksum", source_.paths()[piece.file],
                          stored.name, piece.offset),
              fmt::format("{:016x}", found), fmt::format("{:016x}", *stored.checksum),
              "the file is damaged or the disk returns wrong bytes: make the file anew");
}

// A sum goes from a unit's first byte to its last, so whoever leases no first part, or leaves one
// out, is not compared this time.
Result<void> WeightStore::verify(size_t unit, size_t part, RawUnit raw) {
  if (part == 0) {
    comparison_.reset();
    if (verification_due(unit)) comparison_.emplace();
  }
  if (!comparison_ || comparison_->next_part != part) {
    comparison_.reset();
    return {};
  }
  for (const auto& piece : raw) comparison_->sum.add(piece);
  if (++comparison_->next_part < source_.units()[unit].parts) return {};
  const uint64_t found = comparison_->sum.value();
  comparison_.reset();
  return compare(unit, found);
}

Result<Lease> WeightStore::lease(size_t unit, const StopCheck& stop, size_t part) {
  if (resident(unit)) return Lease(resident_place(unit));
  CHECK(ring_ != nullptr, "streaming has not been started");
  const size_t streamed = first_parts_[unit] + part;
  Ring::Held held = TRY(ring_->acquire(streamed, stop));
  const std::byte* data = held.pieces.front().data();
  Lease lease(*ring_, std::move(held), data);
  TRY(verify(unit, part, lease.pieces()));
  if (source_.ready_made()) return lease;
  const auto bytes = static_cast<size_t>(source_.parts()[streamed].bytes);
  TRY(source_.finish(streamed, lease.pieces(), finished_.span().first(bytes)));
  return Lease(finished_.data());  // the place in the ring is free again
}

}  // namespace strata::memory
