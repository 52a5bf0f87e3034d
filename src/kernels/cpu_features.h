// Which instruction sets this CPU has and this operating system saves, from CPUID and XCR0 only
// (never from model names).
#pragma once

#include <string>

namespace strata::kernels {

struct CpuFeatures {
  bool avx2 = false;          // with FMA and F16C
  bool avx512 = false;        // F, BW, DQ and VL
  bool avx512_vbmi2 = false;  // and bytes spread by a mask
  bool avx512_bf16 = false;   // and products of bf16 pairs
  bool amx_bf16 = false;      // tiles usable by this process: the kernel granted them
};

/// Detected at the first call, which asks the kernel for the tile permission: make it before
/// threads start.
const CpuFeatures& cpu_features();

/// How the CPU names itself; for reports only.
std::string cpu_brand();

}  // namespace strata::kernels
