// The floating-point mode of the numerics for the length of a scope: nearest even, flush-to-zero,
// denormals-are-zero, exceptions masked. Every entry of a thread into kernel code takes one (the
// mode is a register of the thread). Tests that compute expectations take one too. No other state.
#pragma once

#include <cstdint>

namespace strata::kernels {

class FpModeScope {
 public:
  [[gnu::always_inline]] FpModeScope() : saved_(read()) { write(kMode); }
  [[gnu::always_inline]] ~FpModeScope() { write(saved_); }
  FpModeScope(const FpModeScope&) = delete;
  FpModeScope& operator=(const FpModeScope&) = delete;

#if defined(__x86_64__)
  using Word = uint32_t;
  static constexpr Word kMode = 0x9fc0;  // MXCSR: FTZ, DAZ, all exceptions masked, rounding 00

  [[gnu::always_inline]] static Word read() { return __builtin_ia32_stmxcsr(); }
  // The memory clobber keeps loads, stores and thus the arithmetic between them on their side of
  // the switch.
  [[gnu::always_inline]] static void write(Word word) {
    asm volatile("ldmxcsr %0" ::"m"(word) : "memory");
  }
#elif defined(__aarch64__)
  using Word = uint64_t;
  static constexpr Word kMode = uint64_t{1}
                                << 24;  // FPCR: FZ (inputs and outputs), rounding 00, no traps

  [[gnu::always_inline]] static Word read() {
    Word word;
    asm volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  [[gnu::always_inline]] static void write(Word word) {
    asm volatile("msr fpcr, %0" ::"r"(word) : "memory");
  }
#else
#error "fp_mode.h: add this CPU's flush-to-zero and rounding control"
#endif

 private:
  Word saved_;
};

}  // namespace strata::kernels
