// Coded panels expand into the bits that were coded, whatever these are, chunk by chunk; the code
// that is chosen has the fewest escapes; and what expands stays inside of a panel of any bytes.
#include "tensor/exponent_coding.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace strata::tensor {
namespace {

struct alignas(64) Line {
  std::byte bytes[64];
};

class Panel {
 public:
  explicit Panel(int64_t k) : k_(k), memory_(static_cast<size_t>(size() / 64)) {}

  int64_t size() const { return packed_elements(kPanel, k_) * 2; }
  int64_t weights() const { return size() / 2; }
  std::byte* data() { return memory_.data()->bytes; }
  void set(int64_t i, uint32_t bits) {
    const auto weight = static_cast<uint16_t>(bits);
    std::memcpy(data() + i * 2, &weight, 2);
  }

 private:
  int64_t k_;
  std::vector<Line> memory_;
};

// Expanded from the middle on, and from the start.
std::vector<std::byte> expand(const std::byte* panel, int64_t k, int64_t panel_bytes) {
  const int64_t chunks = round_up(k, kChunk) / kChunk, middle = chunks / 2;
  std::vector<Line> out(static_cast<size_t>(chunks * 2048 / 64));
  std::byte* to = out.data()->bytes;
  expand_chunks({panel, panel_bytes, chunks, middle, chunks - middle, to + middle * 2048});
  expand_chunks({panel, panel_bytes, chunks, 0, middle, to});
  return {to, to + chunks * 2048};
}

void expect_same(Panel& panel, int64_t k) {
  const int64_t escapes = choose_code(panel.data(), k).escapes;
  const int64_t bytes = coded_panel_bytes(k, escapes);
  std::vector<Line> coded(static_cast<size_t>(bytes / 64));
  ASSERT_TRUE(encode_panel(panel.data(), k, bytes, coded.data()->bytes));
  const std::vector<std::byte> out = expand(coded.data()->bytes, k, bytes);
  EXPECT_EQ(std::memcmp(out.data(), panel.data(), out.size()), 0) << "k " << k;
}

TEST(ExponentCoding, EveryPatternOfBitsComesBack) {
  constexpr int64_t kDepth = 64;
  for (uint32_t first = 0; first < 65536; first += 2048) {
    Panel panel(kDepth);
    for (int64_t i = 0; i < panel.weights(); i++) {
      panel.set(i, first + static_cast<uint32_t>(i % 2048));
    }
    expect_same(panel, kDepth);
  }
}

TEST(ExponentCoding, NormalWeightsTakeThreeTenthsLess) {
  std::mt19937_64 random(3);
  for (const float deviation : {0.02F, 0.013F, 1.0F}) {
    constexpr int64_t kDepth = 1000;
    std::normal_distribution<float> normal(0, deviation);
    Panel panel(kDepth);
    for (int64_t i = 0; i < panel.weights(); i++) {
      panel.set(i, std::bit_cast<uint32_t>(normal(random)) >> 16);
    }
    const int64_t escapes = choose_code(panel.data(), kDepth).escapes;
    EXPECT_LT(coded_panel_bytes(kDepth, escapes), panel.size() * 71 / 100) << deviation;
    expect_same(panel, kDepth);
  }
}

// Packs of the same model are the same bytes, whichever version wrote them.
TEST(ExponentCoding, WritesTheBytesThatItAlwaysWrote) {
  constexpr int64_t kDepth = 160;
  uint64_t hash = 14695981039346656037U, state = 1;  // FNV-1a
  for (uint32_t spread = 1; spread <= 256; spread *= 4) {
    Panel panel(kDepth);
    for (int64_t i = 0; i < panel.weights(); i++) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      const auto bits = static_cast<uint32_t>(state >> 40);
      panel.set(i, (bits & 0x807f) | ((bits >> 16) % spread + 256 - spread) << 7);
    }
    const int64_t bytes = coded_panel_bytes(kDepth, choose_code(panel.data(), kDepth).escapes);
    std::vector<std::byte> coded(static_cast<size_t>(bytes));
    ASSERT_TRUE(encode_panel(panel.data(), kDepth, bytes, coded.data()));
    for (const std::byte byte : coded) {
      hash = (hash ^ static_cast<uint64_t>(byte)) * 1099511628211U;
    }
  }
  EXPECT_EQ(hash, 17964749666295957227U);
}

TEST(ExponentCoding, ChoosesTheFewestEscapes) {
  Panel panel(32);
  // Exponents 100 to 106 a hundred times each, 90 fifty times, the rest 107.
  for (int64_t i = 0; i < panel.weights(); i++) {
    const auto exponent = static_cast<uint32_t>(i < 700 ? 100 + i / 100 : i < 750 ? 90 : 107);
    panel.set(i, exponent << 7 | 5);
  }
  const ExponentCode code = choose_code(panel.data(), 32);
  EXPECT_EQ(code.highest, 107);
  EXPECT_EQ(code.escapes, 150);
  for (int64_t i = 0; i < panel.weights(); i++) panel.set(i, 0);
  EXPECT_EQ(choose_code(panel.data(), 32).escapes, 0);
  expect_same(panel, 32);
}

TEST(ExponentCoding, ReadsInsideOfADamagedPanel) {
  constexpr int64_t kDepth = 96;
  const int64_t bytes = coded_panel_bytes(kDepth, 0);
  // On the heap of its own, so that a checked build sees a read behind it.
  std::vector<Line> coded(static_cast<size_t>(bytes / 64));
  std::memset(coded.data(), 0xff, static_cast<size_t>(bytes));
  EXPECT_EQ(expand(coded.data()->bytes, kDepth, bytes).size(), 3u * 2048);
}

TEST(ExponentCoding, RefusesAPanelWithoutRoomForItsEscapes) {
  Panel panel(32);
  for (int64_t i = 0; i < 65; i++) panel.set(i, static_cast<uint32_t>(100 + i) << 7);
  const int64_t bytes = coded_panel_bytes(32, 0);
  std::vector<Line> coded(static_cast<size_t>(bytes / 64));
  EXPECT_FALSE(encode_panel(panel.data(), 32, bytes, coded.data()->bytes));
}

TEST(ExponentCoding, KnowsWhichSizesPanelsHave) {
  EXPECT_TRUE(is_coded_panel_size(4096, coded_panel_bytes(4096, 2696)));
  EXPECT_EQ(coded_panel_bytes(4096, 2696), 320 + 128 * 1408 + 2752 + 64);
  EXPECT_FALSE(is_coded_panel_size(4096, coded_panel_bytes(4096, 0) - 64));
  EXPECT_FALSE(is_coded_panel_size(4096, coded_panel_bytes(4096, 0) + 1));
  EXPECT_FALSE(is_coded_panel_size(4096, 4096 * 64));
}

}  // namespace
}  // namespace strata::tensor
