// Guesses by looking back: what followed the last few tokens where they stood before (prompt
// lookup). A pure function of one sequence's tokens, with an index that makes it cheap. Knows
// neither models nor steps.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::engine {

/// How many of the last tokens must have stood before: as many as possible from `max` to `min`,
/// 1 <= min <= max (vLLM's prompt_lookup_max and prompt_lookup_min).
struct NgramRange {
  int64_t max = 5;
  int64_t min = 2;
};

/// Of one sequence. Constant time per token and length, 8 to 16 bytes for each.
class NgramIndex {
 public:
  explicit NgramIndex(NgramRange range);

  /// What it holds, and the most that it holds for so many tokens, also while it grows.
  int64_t bytes() const;
  static int64_t most_bytes(NgramRange range, int64_t tokens);

  /// What stood behind the first earlier occurrence of the last tokens, at most `most` >= 0 of it;
  /// nothing where there is none. `tokens` are the sequence's from its start and must begin with
  /// those of the last call; the result points into them.
  std::span<const int32_t> guess(std::span<const int32_t> tokens, int64_t most);

 private:
  /// Ends of the n-grams of one length n, by hash: the first of each. Open addressing; 0 = free.
  struct Table {
    int64_t length = 0;
    size_t used = 0;
    std::vector<uint32_t> ends;
  };

  static uint32_t* slot(Table& table, std::span<const int32_t> tokens, int64_t end);
  static void grow(Table& table, std::span<const int32_t> tokens);
  void index(Table& table, std::span<const int32_t> tokens) const;

  std::vector<Table> tables_;  // longest first
  int64_t indexed_ = 0;        // n-grams that end here or before are in their tables
};

}  // namespace strata::engine
