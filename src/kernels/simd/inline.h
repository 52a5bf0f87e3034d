// The two attributes of kernel code. Forced inlining is part of correctness: an out-of-line copy of
// a shared inline function, compiled with wide instructions, could be the one that the linker keeps
// for units of weaker sets.
#pragma once

#define STRATA_KERNEL_INLINE [[gnu::always_inline]] inline
#define STRATA_RESTRICT __restrict__
