// See lower_ceiling.h.
#include "engine/lower_ceiling.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/json.h"
#include "engine/weight_demand.h"
#include "memory/account.h"

namespace strata::engine {
namespace {

Result<void> check(const ResolvedConfig& now, int64_t least, int64_t memory_bytes) {
  if (now.memory_bytes > 0 && memory_bytes > now.memory_bytes) {
    return fail(Code::kInvalidArgument, "memory", memory::format_bytes(memory_bytes),
                fmt::format("at most the {} of now", memory::format_bytes(now.memory_bytes)),
                "a ceiling can be lowered while the engine runs, and raised by starting it anew");
  }
  if (memory_bytes >= least) return {};
  constexpr int64_t kMiB = 1 << 20;
  return fail(Code::kResourceLimit, "memory", memory::format_bytes(memory_bytes),
              fmt::format("at least {}", memory::format_bytes(least)),
              fmt::format("{}MiB does", (least + kMiB - 1) / kMiB));
}

}  // namespace

Result<LoweredCeiling> lower_ceiling(const ResolvedConfig& now, const model::WeightPlan& plan,
                                     int64_t memory_bytes) {
  const WeightDemand weights(now.asked, plan);
  const int64_t slab = now.slab_plan.slab_bytes;
  const auto groups = static_cast<int64_t>(now.slab_plan.frames_per_slab.size());
  const int64_t pool = now.slabs * slab;
  const int64_t least_pool = groups * slab;
  TRY(check(now, now.fixed_bytes + weights.least() + least_pool, memory_bytes));

  const int64_t room = memory_bytes - now.fixed_bytes;
  const auto share = [&](int64_t part) {
    return std::max(least_pool, std::min(pool, room / part));
  };
  LoweredCeiling lowered{.memory_bytes = memory_bytes, .placement = now.placement};
  if (now.placement.bytes() + share(kPoolShareInRam) > room) {
    const PoolShares shares{share(kPoolShareInRam), share(kPoolShareOnDisk)};
    lowered.placement = TRY(weights.place(weights.budget(room, shares)));
    lowered.moves_weights = true;
  }
  lowered.slabs = std::min(now.slabs, (room - lowered.placement.bytes()) / slab);
  return lowered;
}

std::string to_json(const Result<LoweredCeiling>& lowered, int64_t slab_bytes) {
  Json json;
  if (!lowered) {
    json["error"] = lowered.error().message();
  } else {
    json = {{"memory_bytes", lowered->memory_bytes},
            {"kv_bytes", lowered->slabs * slab_bytes},
            {"resident_bytes", lowered->placement.resident_bytes},
            {"ring_bytes", lowered->placement.ring_bytes},
            {"streamed_bytes", lowered->placement.streamed_bytes},
            {"weights", lowered->placement.reason}};
  }
  return json.dump(2) + "\n";
}

}  // namespace strata::engine
