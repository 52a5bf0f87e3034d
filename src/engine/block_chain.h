// Names for full KV blocks, by which the scheduler finds those that hold the same keys and values:
// a keyed hash chain over a sequence's tokens. Where blocks lie and who uses them is the
// scheduler's.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sched/types.h"

namespace strata::engine {

/// Secret of a process. Whoever does not know it cannot look for prompts whose hashes collide.
struct ChainKey {
  uint64_t low = 0;
  uint64_t high = 0;

  static ChainKey random();
};

/// SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012; the 128-bit variant of its reference):
/// `high` holds the second eight bytes of its output.
sched::BlockHash keyed_hash(const ChainKey& key, std::span<const std::byte> bytes);

/// The chain of one sequence; a copy goes on by itself. The hash of a block is the keyed hash of
/// the hash before it and of the block's token ids; before the first block stands the keyed hash of
/// the salt.
class BlockChain {
 public:
  /// Sequences share blocks only where their salts are equal.
  BlockChain(const ChainKey& key, std::string_view salt, int64_t block_tokens);

  /// Hashes of the blocks that have become full; `tokens` are the sequence's from its start and
  /// must begin with those of the last call.
  std::vector<sched::BlockHash> extend(std::span<const int32_t> tokens);

 private:
  ChainKey key_;
  sched::BlockHash last_;
  int64_t block_tokens_;
  int64_t blocks_ = 0;  // hashed
};

}  // namespace strata::engine
