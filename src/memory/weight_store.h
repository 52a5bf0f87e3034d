// All units of a model's weights, wherever they are: residents in anonymous huge pages, the rest
// through the ring. Whoever computes leases a unit, in the order of the pass, and has its bytes in
// compute layout until the lease ends. Decides nothing: who is resident is the plan's business
// (placement).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "base/env.h"
#include "base/status.h"
#include "device/device.h"
#include "memory/account.h"
#include "memory/ring.h"
#include "memory/unit_source.h"

namespace strata::memory {

struct StoreConfig {
  std::vector<bool> resident;   // of each unit of the source
  RingConfig ring = {};         // where any unit is streamed
  int64_t alignment = 4 << 10;  // of residents, a multiple of kDirectBlock
  /// Of a streamed unit's readings the first and then one in so many is compared with its checksum,
  /// where the source has one; residents always are.
  int64_t verify_every = 16;
};

/// A unit that stays where it is for as long as this lives.
class [[nodiscard]] Lease {
 public:
  Lease() = default;
  explicit Lease(const std::byte* data) : data_(data) {}
  Lease(Ring& ring, Ring::Held held, const std::byte* data)
      : ring_(&ring), held_(std::move(held)), data_(data) {}
  Lease(Lease&& other) noexcept
      : ring_(std::exchange(other.ring_, nullptr)),
        held_(std::move(other.held_)),
        data_(other.data_) {}
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (ring_ != nullptr) ring_->release(held_);
  }
  /// StoredUnit::bytes bytes in compute layout.
  const std::byte* data() const { return data_; }
  /// As it was read, where it comes from the ring.
  RawUnit pieces() const { return held_.pieces; }

 private:
  Ring* ring_ = nullptr;
  Ring::Held held_ = {};
  const std::byte* data_ = nullptr;
};

/// One thread uses it.
class WeightStore {
 public:
  /// Takes memory for the residents (kWeights), and for a unit to be finished in where the source
  /// is not ready-made (kRing); reads nothing yet. `device`, `account` and `source` must outlive
  /// the store.
  static Result<std::unique_ptr<WeightStore>> create(device::Device& device, MemoryAccount& account,
                                                     const UnitSource& source, StoreConfig config);

  bool resident(size_t unit) const { return config_.resident[unit]; }
  /// Where a resident unit lies, to be filled before anything is leased.
  std::byte* resident_place(size_t unit) const;
  /// Fills the residents of a ready-made source; every checksum is compared.
  Result<void> read_residents(Env& env, const std::function<void(int64_t bytes)>& progress);
  /// Starts reading the streamed units; call it once, when the residents are there. `env` must
  /// outlive the store.
  Result<void> start_streaming(Env& env);

  /// A part of a unit, of as many as it is streamed in. Units must be leased in the order of the
  /// source, around from the last to the first, and their parts one after the other; units may be
  /// left out. One lease at a time. kInvalidData where a checksum differs (of a unit in parts: once
  /// the last is leased); otherwise as Ring::acquire.
  Result<Lease> lease(size_t unit, const StopCheck& stop, size_t part = 0);
  /// Whether that lease would be had at once.
  bool ready(size_t unit, size_t part = 0) const {
    return resident(unit) || ring_->ready(first_parts_[unit] + part);
  }

  int64_t resident_bytes() const { return residents_.bytes(); }
  /// Null where every unit is resident.
  const Ring* ring() const { return ring_.get(); }

 private:
  WeightStore(const UnitSource& source, StoreConfig config);
  bool verification_due(size_t unit);
  Result<void> compare(size_t unit, uint64_t found) const;
  Result<void> verify(size_t unit, size_t part, RawUnit raw);

  device::Device* device_ = nullptr;
  MemoryAccount* account_ = nullptr;
  const UnitSource& source_;
  StoreConfig config_;
  // A unit whose parts are being compared with its checksum, as far as they have been leased.
  struct Comparison {
    size_t next_part = 0;
    Checksum sum = {};
  };

  std::vector<int64_t> offsets_;     // of residents, in their memory
  std::vector<size_t> first_parts_;  // of each unit, in UnitSource::parts
  std::vector<int64_t> readings_;    // of each unit, by the ring
  std::optional<Comparison> comparison_;
  device::Buffer residents_;
  device::Buffer finished_;  // the unit that was finished last
  Charge resident_charge_;
  Charge finished_charge_;
  std::unique_ptr<Ring> ring_;
};

}  // namespace strata::memory
