// Peak of the AMX unit on bf16.
#include "kernels/x86/amx.h"
#include "kernels/x86/probe_data.h"
#include "kernels/x86/probe_units.h"

namespace strata::kernels {

double peak_amx_bf16(int64_t iterations) {
  constexpr int kSets = 4;  // of two A and two B tiles: 16 KiB, in L1
  alignas(64) uint32_t words[kSets * 4 * 256];
  fill_probe_operands(words, kSets * 4 * 256, kProbeBf16Bits, kProbeBf16Base);
  AmxTiles tiles;
  tiles.configure(16, 16);
  tiles.zero<0>();
  tiles.zero<1>();
  tiles.zero<2>();
  tiles.zero<3>();
  for (int64_t round = 0; round < iterations; round++) {
    const uint32_t* set = words + round % kSets * 4 * 256;
    tiles.load<4>(set, 64);
    tiles.load<5>(set + 256, 64);
    tiles.load<6>(set + 512, 64);
    tiles.load<7>(set + 768, 64);
    tiles.product<0, 4, 6>();
    tiles.product<1, 4, 7>();
    tiles.product<2, 5, 6>();
    tiles.product<3, 5, 7>();
  }
  tiles.release();
  return static_cast<double>(iterations) * 4 * 16 * 16 * 32 * 2;
}

}  // namespace strata::kernels
