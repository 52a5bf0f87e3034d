// What the units that expand coded weights share: where things stand in a coded panel
// (tensor/exponent_coding.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simd/inline.h"
#include "tensor/exponent_coding.h"

namespace strata::kernels {
namespace {

constexpr int64_t kTileBytes = 1024;  // expanded
constexpr int64_t kGroups = 8;        // of 64 weights in a tile
constexpr int64_t kGroupBytes = 88;   // coded: signs and mantissas, then three planes
constexpr int64_t kPlanesOffset = 64;
constexpr int64_t kEscapesAhead = 16;  // chunks

struct CodedPanel {
  const std::byte* header;
  const std::byte* chunks;
  const std::byte* escapes;
  const std::byte* last;  // escape from which on 64 bytes may be read
  int64_t count;          // of chunks
  uint8_t highest;

  STRATA_KERNEL_INLINE explicit CodedPanel(const tensor::ExpandArgs& args)
      : header(args.panel),
        chunks(args.panel + tensor::coded_header_bytes(args.panel_chunks * tensor::kChunk)),
        escapes(chunks + args.panel_chunks * tensor::kCodedChunkBytes),
        last(args.panel + args.panel_bytes - 64),
        count(args.panel_chunks),
        highest(static_cast<uint8_t>(*args.panel)) {}

  STRATA_KERNEL_INLINE const std::byte* chunk(int64_t index) const {
    return chunks + index * tensor::kCodedChunkBytes;
  }
  STRATA_KERNEL_INLINE const std::byte* escapes_of(int64_t index) const {
    uint16_t first = 0;
    __builtin_memcpy(&first, header + 2 + index * 2, sizeof first);
    const std::byte* at = escapes + first;
    return at < last ? at : last;
  }
  /// Of a chunk that is expanded soon after this one: their lines are too few and too far apart for
  /// a CPU to see a stream.
  STRATA_KERNEL_INLINE void prefetch_escapes(int64_t index) const {
    const int64_t soon = index + kEscapesAhead;
    __builtin_prefetch(escapes_of(soon < count ? soon : count - 1));
  }
};

}  // namespace
}  // namespace strata::kernels
