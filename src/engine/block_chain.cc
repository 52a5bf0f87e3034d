// SipHash, and the chain made of it.
#include "engine/block_chain.h"

#include <bit>
#include <cstring>
#include <random>

namespace strata::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "SipHash reads little-endian words");

struct SipState {
  uint64_t v0, v1, v2, v3;

  void rounds(int count) {
    for (int i = 0; i < count; i++) {
      v0 += v1;
      v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  }
  void absorb(uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  uint64_t fold() const { return v0 ^ v1 ^ v2 ^ v3; }
};

}  // namespace

ChainKey ChainKey::random() {
  std::random_device device;
  const auto word = [&device] { return uint64_t{device()} << 32 | device(); };
  return {.low = word(), .high = word()};
}

sched::BlockHash keyed_hash(const ChainKey& key, std::span<const std::byte> bytes) {
  SipState state{key.low ^ 0x736f6d6570736575, key.high ^ 0x646f72616e646f6d ^ 0xee,
                 key.low ^ 0x6c7967656e657261, key.high ^ 0x7465646279746573};
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    state.absorb(word);
  }
  uint64_t tail = uint64_t{bytes.size()} << 56;
  if (at < bytes.size()) std::memcpy(&tail, bytes.data() + at, bytes.size() - at);
  state.absorb(tail);
  state.v2 ^= 0xee;
  state.rounds(4);
  const uint64_t low = state.fold();
  state.v1 ^= 0xdd;
  state.rounds(4);
  return {.high = state.fold(), .low = low};
}

BlockChain::BlockChain(const ChainKey& key, std::string_view salt, int64_t block_tokens)
    : key_(key),
      last_(keyed_hash(key, std::as_bytes(std::span(salt.data(), salt.size())))),
      block_tokens_(block_tokens) {}

std::vector<sched::BlockHash> BlockChain::extend(std::span<const int32_t> tokens) {
  std::vector<sched::BlockHash> hashes;
  const auto size = static_cast<size_t>(block_tokens_);
  std::vector<std::byte> bytes(sizeof(last_) + size * sizeof(int32_t));
  for (; (static_cast<size_t>(blocks_) + 1) * size <= tokens.size(); blocks_++) {
    std::memcpy(bytes.data(), &last_, sizeof(last_));
    std::memcpy(bytes.data() + sizeof(last_), tokens.data() + static_cast<size_t>(blocks_) * size,
                size * sizeof(int32_t));
    last_ = keyed_hash(key_, bytes);
    hashes.push_back(last_);
  }
  return hashes;
}

}  // namespace strata::engine
