// Loops of the peak probes (kernels/probe.h), one unit per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::kernels {

/// Operations done (a multiply-add is 2) by `iterations` rounds of independent chains on random
/// finite operands.
double peak_fma_256(int64_t iterations);
double peak_fma_512(int64_t iterations);
/// VDPBF16PS on 512-bit registers.
double peak_dot_bf16(int64_t iterations);
/// 2 x 2 accumulator tiles whose operands are loaded again from L1 in every round, as a product
/// must.
double peak_amx_bf16(int64_t iterations);

/// The bitwise or of all data, so that every byte is really loaded. A multiple of 512 bytes,
/// 32-byte aligned.
uint64_t read_256(const std::byte* data, size_t bytes);

}  // namespace strata::kernels
