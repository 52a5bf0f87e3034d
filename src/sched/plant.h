// Bugs that the simulator plants to show that it would find them. A scheduler is created with
// Plant::kNone; only create_planted() sets another value, and only tests call it. The cost in the
// real path is one comparison where each bug sits.
#pragma once

#include <cstdint>

namespace strata::sched {

enum class Plant : uint8_t {
  kNone,
  kLostDecref,      // a shared block's reference is not dropped
  kDoubleFree,      // a shared block's reference is dropped twice
  kNoAgeing,        // waiting never outweighs priority
  kStalePrefixHit,  // an evicted block stays in the prefix index
  kEarlyFree,       // blocks come back while a plan in flight reads them
};

}  // namespace strata::sched
