// Tables compare tokens, so a collision of hashes costs time and nothing else.
#include "engine/ngram.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace strata::engine {
namespace {

constexpr size_t kFirstPlaces = 64;

std::span<const int32_t> gram(std::span<const int32_t> tokens, int64_t end, int64_t length) {
  return tokens.subspan(static_cast<size_t>(end - length), static_cast<size_t>(length));
}

// FNV-1a over ids, its high bits folded down: tables look at the low ones.
size_t hash_of(std::span<const int32_t> ids) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const int32_t id : ids) hash = (hash ^ static_cast<uint32_t>(id)) * 0x100000001b3;
  return hash ^ (hash >> 32);
}

}  // namespace

NgramIndex::NgramIndex(NgramRange range) {
  CHECK(range.min >= 1 && range.min <= range.max, "a range of lengths");
  for (int64_t length = range.max; length >= range.min; length--) {
    tables_.push_back({.length = length, .ends = std::vector<uint32_t>(kFirstPlaces)});
  }
}

int64_t NgramIndex::bytes() const {
  size_t places = 0;
  for (const Table& table : tables_) places += table.ends.capacity();
  return static_cast<int64_t>(places * sizeof(uint32_t));
}

// While one table grows, what it was is there too: half of one more.
int64_t NgramIndex::most_bytes(NgramRange range, int64_t tokens) {
  size_t places = kFirstPlaces;
  while (std::cmp_less(places, 2 * tokens)) places *= 2;
  const auto table = static_cast<int64_t>(places * sizeof(uint32_t));
  return (range.max - range.min + 1) * table + table / 2;
}

// Where the n-gram that ends at `end` stands or would stand.
uint32_t* NgramIndex::slot(Table& table, std::span<const int32_t> tokens, int64_t end) {
  const std::span<const int32_t> wanted = gram(tokens, end, table.length);
  const size_t mask = table.ends.size() - 1;
  size_t at = hash_of(wanted) & mask;
  while (table.ends[at] != 0 &&
         !std::ranges::equal(gram(tokens, table.ends[at], table.length), wanted)) {
    at = (at + 1) & mask;
  }
  return &table.ends[at];
}

void NgramIndex::grow(Table& table, std::span<const int32_t> tokens) {
  std::vector<uint32_t> old(table.ends.size() * 2);
  old.swap(table.ends);
  for (const uint32_t end : old) {
    if (end != 0) *slot(table, tokens, end) = end;
  }
}

// Of all that has a token behind it.
void NgramIndex::index(Table& table, std::span<const int32_t> tokens) const {
  for (int64_t end = std::max(indexed_ + 1, table.length); std::cmp_less(end, tokens.size());
       end++) {
    uint32_t* place = slot(table, tokens, end);
    if (*place != 0) continue;
    *place = static_cast<uint32_t>(end);
    if (++table.used * 2 > table.ends.size()) grow(table, tokens);
  }
}

std::span<const int32_t> NgramIndex::guess(std::span<const int32_t> tokens, int64_t most) {
  const auto size = static_cast<int64_t>(tokens.size());
  for (Table& table : tables_) index(table, tokens);
  indexed_ = std::max(indexed_, size - 1);
  for (Table& table : tables_) {
    if (size < table.length) continue;
    const int64_t end = *slot(table, tokens, size);
    if (end == 0) continue;
    return tokens.subspan(static_cast<size_t>(end),
                          static_cast<size_t>(std::min(most, size - end)));
  }
  return {};
}

}  // namespace strata::engine
