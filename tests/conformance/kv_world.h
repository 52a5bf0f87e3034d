// A small KV pool for tests of kv_write and attention: some sequences with random keys, values and
// queries, blocks in scrambled order, two layers of which the second is used, and poison (NaN
// bytes) wherever nothing may be read.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/ops.h"
#include "tensor/float_bits.h"

namespace strata::kernels {

inline constexpr std::byte kPoison{0xff};

struct KvCase {
  tensor::ProductKind kind = tensor::ProductKind::kBf16;
  int64_t q_heads = 4, kv_heads = 2, head_dim = 64;
  int64_t block_tokens = 32;
  int64_t window = 0;
  std::vector<int64_t> contexts;  // tokens of each sequence
  int64_t rows = 1;               // query rows: the last `rows` tokens of each sequence (or all)
  float magnitude = 1;            // of q, k and v
  uint64_t seed = 1;
};

class KvWorld {
 public:
  explicit KvWorld(const KvCase& c)
      : case_(c), shape_{c.kind, c.kv_heads, c.head_dim, c.block_tokens}, rng_(c.seed) {
    int64_t blocks = 0;
    for (const int64_t context : c.contexts)
      blocks += (context + c.block_tokens - 1) / c.block_tokens;
    pool_.assign(static_cast<size_t>((blocks + 1) * block_bytes() + 128), kPoison);
    std::vector<int64_t> order(static_cast<size_t>(blocks));
    for (int64_t i = 0; i < blocks; i++)
      order[static_cast<size_t>(i)] = i + 1;  // block 0 stays poison: see tables
    std::shuffle(order.begin(), order.end(), rng_);
    size_t next = 0;
    for (const int64_t context : c.contexts) {
      std::vector<int64_t>& table = tables_.emplace_back();
      for (int64_t at = 0; at < context; at += c.block_tokens)
        table.push_back(order[next++] * block_bytes());
    }
    tokens_ = 0;
    for (const int64_t context : c.contexts) tokens_ += context;
    k_ = randoms(tokens_ * c.kv_heads * c.head_dim);
    v_ = randoms(tokens_ * c.kv_heads * c.head_dim);
  }

  const KvCase& spec() const { return case_; }
  const tensor::KvShape& shape() const { return shape_; }
  int64_t block_bytes() const { return 2 * shape_.layer_bytes(); }
  KvLayer layer() { return {shape_, base(), shape_.layer_bytes()}; }
  std::byte* base() {
    const auto address = reinterpret_cast<uintptr_t>(pool_.data());
    return pool_.data() + (64 - address % 64) % 64 + 64;
  }
  const std::vector<std::byte>& pool() const { return pool_; }
  std::vector<std::vector<int64_t>>& tables() { return tables_; }

  /// Arguments that write the tokens [begin, end) of one sequence.
  KvWriteArgs write_args(size_t sequence, int64_t begin, int64_t end,
                         std::vector<SequenceView>& views) {
    int64_t first_row = 0;
    for (size_t i = 0; i < sequence; i++) first_row += case_.contexts[i];
    views = {{first_row + begin, end - begin, begin, tables_[sequence].data()}};
    const int64_t stride = case_.kv_heads * case_.head_dim;
    return {layer(), k_.data(), stride, v_.data(), stride, views};
  }
  const std::vector<float>& k() const { return k_; }
  const std::vector<float>& v() const { return v_; }

  int64_t rows_of(size_t sequence) const { return std::min(case_.rows, case_.contexts[sequence]); }

  /// One view per sequence over consecutive rows: its last rows_of() tokens.
  std::vector<SequenceView> views() {
    std::vector<SequenceView> views;
    int64_t row = 0;
    for (size_t i = 0; i < tables_.size(); i++) {
      views.push_back({row, rows_of(i), case_.contexts[i] - rows_of(i), tables_[i].data()});
      row += rows_of(i);
    }
    return views;
  }

  /// Marks blocks that no row sees any more as dropped and poisons what they held. A block offset
  /// of -1 points into the poisoned block 0, so that reading it would show.
  void drop_old_blocks() {
    if (case_.window == 0) return;
    for (size_t i = 0; i < tables_.size(); i++) {
      const int64_t first_seen = case_.contexts[i] - rows_of(i) - case_.window + 1;
      for (size_t b = 0; b < tables_[i].size(); b++) {
        if (static_cast<int64_t>(b + 1) * case_.block_tokens > first_seen) break;
        std::memset(base() + tables_[i][b], 0xff, static_cast<size_t>(block_bytes()));
        tables_[i][b] = -1;
      }
    }
  }

  /// The q operand of every query row, padding +0.
  std::vector<std::byte> queries() {
    int64_t rows = 0;
    for (size_t i = 0; i < tables_.size(); i++) rows += rows_of(i);
    const int64_t padded = shape_.padded_dim(), element = tensor::operand_bytes(case_.kind);
    std::vector<std::byte> q(static_cast<size_t>(rows * case_.q_heads * padded * element));
    const std::vector<float> x = randoms(rows * case_.q_heads * case_.head_dim);
    for (int64_t head = 0; head < rows * case_.q_heads; head++) {
      for (int64_t d = 0; d < case_.head_dim; d++) {
        const float value = x[static_cast<size_t>(head * case_.head_dim + d)];
        std::byte* to = q.data() + (head * padded + d) * element;
        if (element == 4) {
          std::memcpy(to, &value, 4);
        } else {
          const tensor::Bf16 half = tensor::to_bf16(value);
          std::memcpy(to, &half, 2);
        }
      }
    }
    return q;
  }

 private:
  std::vector<float> randoms(int64_t count) {
    std::normal_distribution<float> normal(0.0f, case_.magnitude);
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = normal(rng_);
    return values;
  }

  KvCase case_;
  tensor::KvShape shape_;
  std::mt19937_64 rng_;
  std::vector<std::byte> pool_;
  std::vector<std::vector<int64_t>> tables_;
  int64_t tokens_ = 0;
  std::vector<float> k_, v_;
};

}  // namespace strata::kernels
