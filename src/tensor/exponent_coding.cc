// The portable definition; kernels/x86/expand/expand_*.cc are the fast ones with the same bytes.
#include "tensor/exponent_coding.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace strata::tensor {
namespace {

constexpr int64_t kTileWeights = kChunk * kTileCols;
constexpr int64_t kGroup = 64;
constexpr int64_t kPlanes = 3;
constexpr int64_t kGroupBytes = kGroup + kPlanes * 8;
constexpr uint64_t kEscape = kCodes;

uint16_t load_u16(const std::byte* from) {
  uint16_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

uint64_t load_u64(const std::byte* from) {
  uint64_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void store_u16(std::byte* to, int64_t value) {
  const auto bits = static_cast<uint16_t>(value);
  std::memcpy(to, &bits, sizeof bits);
}

int exponent_of(uint16_t bits) { return bits >> 7 & 255; }

// Four weights at a time, each in 16 bits of a word; what is computed of one never reaches the
// next.
constexpr uint64_t kLanes = 0x0001000100010001;

// Eight bytes, the first in the lowest: the lower ones of the lanes of two words.
uint64_t low_bytes(uint64_t first, uint64_t second) {
  const auto four = [](uint64_t lanes) {
    const uint64_t pairs = (lanes | lanes >> 8) & 0x0000ffff0000ffff;
    return (pairs | pairs >> 16) & 0xffffffff;
  };
  return four(first) | four(second) << 32;
}

// The least bit of each byte. The products fall on distinct bits, the highest byte's are wanted.
uint64_t low_bits(uint64_t bytes) {
  return (bytes & 0x0101010101010101) * 0x0102040810204080 >> 56;
}

uint64_t signs_and_mantissas(uint64_t four) {
  return (four & 0x7f * kLanes) | (four >> 8 & 0x80 * kLanes);
}

class Encoder {
 public:
  Encoder(int highest, std::byte* escapes)
      : above_((static_cast<uint64_t>(highest) + 0x100) * kLanes), escapes_(escapes) {}

  int64_t escapes() const { return count_; }

  void tile(const std::byte* weights, std::byte* out) {
    for (int64_t group = 0; group < kTileWeights / kGroup; group++) {
      one_group(weights + group * kGroup * 2, out + group * kGroupBytes);
    }
  }

 private:
  void one_group(const std::byte* weights, std::byte* bytes) {
    std::array<uint64_t, kPlanes> planes = {};
    // Eight weights whose bytes follow each other lie in a row.
    for (int64_t place = 0; place < kGroup; place += 8) {
      const std::byte* eight = weights + weight_of(place) * 2;
      const uint64_t first = load_u64(eight), second = load_u64(eight + 8);
      const uint64_t upper = low_bytes(signs_and_mantissas(first), signs_and_mantissas(second));
      std::memcpy(bytes + place, &upper, sizeof upper);
      const uint64_t codes = low_bytes(codes_of(first), codes_of(second));
      for (size_t plane = 0; plane < kPlanes; plane++) {
        planes[plane] |= low_bits(codes >> plane) << place;
      }
    }
    std::memcpy(bytes + kGroup, planes.data(), sizeof planes);
    for (uint64_t left = planes[0] & planes[1] & planes[2]; left != 0; left &= left - 1) {
      const uint16_t weight = load_u16(weights + weight_of(std::countr_zero(left)) * 2);
      escapes_[count_++] = static_cast<std::byte>(exponent_of(weight));
    }
  }

  // How far each exponent lies below the highest, or the escape.
  uint64_t codes_of(uint64_t four) const {
    // 256 and more where it lies above.
    const uint64_t below = (above_ - (four >> 7 & 0xff * kLanes)) ^ 0x100 * kLanes;
    const uint64_t escaped = (below + (0x8000 - kCodes) * kLanes) >> 15 & kLanes;
    return (below & kEscape * kLanes) | escaped * kEscape;
  }

  // Turns coded_place around.
  static int64_t weight_of(int64_t place) {
    return place / 8 % 2 * 32 + place / 16 * 8 + place % 8;
  }

  uint64_t above_;  // 256 + the highest exponent, four times
  std::byte* escapes_;
  int64_t count_ = 0;
};

}  // namespace

ExponentCode choose_code(const std::byte* panel, int64_t k) {
  // Four tables, so that neighbours of one exponent do not wait for each other.
  std::array<std::array<int32_t, 256>, 4> counts = {};
  const int64_t weights = kPanel * round_up(k, kChunk);
  for (int64_t i = 0; i < weights; i += 4) {
    const uint64_t four = load_u64(panel + i * 2);
    for (size_t j = 0; j < 4; j++) counts[j][four >> (16 * j + 7) & 255]++;
  }
  ExponentCode best{.highest = 0, .escapes = weights};
  int64_t covered = 0;
  for (int highest = 0; highest < 256; highest++) {
    const auto count = [&](int exponent) {
      const auto e = static_cast<size_t>(exponent);
      return int64_t{counts[0][e]} + counts[1][e] + counts[2][e] + counts[3][e];
    };
    covered += count(highest);
    if (highest >= kCodes) covered -= count(highest - kCodes);
    if (weights - covered < best.escapes) best = {highest, weights - covered};
  }
  return best;
}

bool encode_panel(const std::byte* panel, int64_t k, int64_t panel_bytes, std::byte* out) {
  const int64_t chunks = round_up(k, kChunk) / kChunk;
  const ExponentCode code = choose_code(panel, k);
  if (code.escapes > kMaxEscapes || coded_panel_bytes(k, code.escapes) > panel_bytes) return false;
  std::memset(out, 0, static_cast<size_t>(panel_bytes));
  store_u16(out, code.highest);
  std::byte* body = out + coded_header_bytes(k);
  Encoder encoder(code.highest, body + chunks * kCodedChunkBytes);
  for (int64_t chunk = 0; chunk < chunks; chunk++) {
    store_u16(out + 2 + chunk * 2, encoder.escapes());
    for (int64_t tile = 0; tile < 2; tile++) {
      encoder.tile(panel + (chunk * 2 + tile) * kTileWeights * 2,
                   body + chunk * kCodedChunkBytes + tile * kCodedTileBytes);
    }
  }
  return true;
}

void expand_chunks(const ExpandArgs& args) {
  const int64_t header = coded_header_bytes(args.panel_chunks * kChunk);
  const std::byte* body = args.panel + header;
  const std::byte* escapes = body + args.panel_chunks * kCodedChunkBytes;
  const int64_t last = args.panel + args.panel_bytes - 64 - escapes;
  const int highest = load_u16(args.panel) & 255;
  for (int64_t chunk = 0; chunk < args.chunks; chunk++) {
    int64_t escape = load_u16(args.panel + 2 + (args.first + chunk) * 2);
    for (int64_t group = 0; group < 2 * kTileWeights / kGroup; group++) {
      const int64_t tile = group / (kTileWeights / kGroup),
                    inside = group % (kTileWeights / kGroup);
      const std::byte* bytes = body + (args.first + chunk) * kCodedChunkBytes +
                               tile * kCodedTileBytes + inside * kGroupBytes;
      const std::byte* planes = bytes + kGroup;
      std::array<uint16_t, kGroup> by_place;
      for (int64_t place = 0; place < kGroup; place++) {
        uint32_t code = 0;
        for (int64_t plane = 0; plane < kPlanes; plane++) {
          code |= static_cast<uint32_t>(load_u64(planes + plane * 8) >> place & 1) << plane;
        }
        auto exponent = static_cast<uint32_t>(highest) - code;
        if (code == kEscape) exponent = static_cast<uint32_t>(escapes[std::min(escape++, last)]);
        const auto byte = static_cast<uint32_t>(bytes[place]);
        by_place[static_cast<size_t>(place)] =
            static_cast<uint16_t>((byte & 0x80) << 8 | (exponent & 255) << 7 | (byte & 0x7f));
      }
      std::byte* out = args.out + (chunk * 2 * kTileWeights + group * kGroup) * 2;
      for (int64_t i = 0; i < kGroup; i++) {
        store_u16(out + place_in_order(i, args.order) * 2,
                  by_place[static_cast<size_t>(coded_place(i))]);
      }
    }
  }
}

}  // namespace strata::tensor
