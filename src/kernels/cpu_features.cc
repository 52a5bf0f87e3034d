// CPUID, XCR0 and the AMX permission.
#include "kernels/cpu_features.h"

#include <array>
#include <string>
#include <string_view>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#endif

namespace strata::kernels {
namespace {

#if defined(__x86_64__)

bool bit(unsigned word, int index) { return (word >> index & 1u) != 0; }

// Register state that the operating system saves: 1-2 SSE and AVX, 5-7 AVX-512, 17-18 tiles.
uint64_t saved_state() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

bool covers(uint64_t state, uint64_t mask) { return (state & mask) == mask; }

bool tiles_granted() {
  constexpr int kRequestPermission = 0x1023,
                kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

CpuFeatures detect() {
  unsigned a = 0, b = 0, c = 0, d = 0, leaf1_c = 0, leaf71_a = 0, e = 0;
  CpuFeatures found;
  if (__get_cpuid(1, &a, &b, &leaf1_c, &d) == 0 || !bit(leaf1_c, 27)) return found;  // OSXSAVE
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return found;
  const uint64_t state = saved_state();
  found.avx2 = covers(state, 0x6) && bit(b, 5) && bit(leaf1_c, 12) && bit(leaf1_c, 29);
  found.avx512 =
      found.avx2 && covers(state, 0xe6) && bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31);
  found.avx512_vbmi2 = found.avx512 && bit(c, 6);
  if (found.avx512 && a >= 1 && __get_cpuid_count(7, 1, &leaf71_a, &e, &e, &e) != 0) {
    found.avx512_bf16 = bit(leaf71_a, 5);
  }
  found.amx_bf16 =
      found.avx512 && covers(state, 0x60000) && bit(d, 22) && bit(d, 24) && tiles_granted();
  return found;
}

std::string brand() {
  std::string name;
  for (unsigned leaf = 0x80000002; leaf <= 0x80000004; leaf++) {
    std::array<unsigned, 4> words{};
    if (__get_cpuid(leaf, &words[0], &words[1], &words[2], &words[3]) == 0)
      return "unknown x86-64 CPU";
    name.append(reinterpret_cast<const char*>(words.data()), sizeof words);
  }
  name.resize(name.find_last_not_of(std::string_view(" \0", 2)) + 1);
  return name;
}

#else

CpuFeatures detect() { return {}; }

std::string brand() { return "unknown CPU"; }

#endif

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures kFeatures = detect();
  return kFeatures;
}

std::string cpu_brand() { return brand(); }

}  // namespace strata::kernels
