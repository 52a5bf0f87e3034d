// The table of ops of one device: function pointers by (op, product kind), each with the
// instruction set that it came from. Filled once at start from scalar upwards; a set that has
// nothing better for a slot leaves the one below in it.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "device/exec_context.h"
#include "kernels/logits_kernels.h"
#include "kernels/ops.h"
#include "tensor/exponent_coding.h"
#include "tensor/pack.h"

namespace strata::kernels {

enum class Isa : uint8_t { kScalar, kAvx2, kAvx512, kAvx512Bf16, kAmx };

std::string_view isa_name(Isa isa);
Result<Isa> parse_isa(std::string_view name);

/// Instruction sets that this CPU and this process may use, weakest first (scalar always). AMX is
/// listed only once the kernel granted the tile permission, which this call asks for: call it
/// before threads start.
std::vector<Isa> available_isas();

template <class Args>
struct Slot {
  void (*fn)(const device::ExecContext&, const Args&) = nullptr;
  Isa isa = Isa::kScalar;
  void operator()(const device::ExecContext& context, const Args& args) const { fn(context, args); }
};

template <class Args>
using ByKind = std::array<Slot<Args>, tensor::kProductKinds>;  // indexed by ProductKind

/// Runs on the calling thread alone, in any floating-point mode: loaders call it from threads of
/// their own.
using PackFn = void (*)(const tensor::PackArgs&);

struct KernelTable {
  Isa isa = Isa::kScalar;  // the best set allowed
  ByKind<LinearArgs> linear;
  ByKind<KvWriteArgs> kv_write;
  ByKind<AttentionArgs> attention;
  ByKind<RmsNormArgs> rms_norm;
  ByKind<QueryOperandArgs> query_operand;
  ByKind<SiluMulArgs> silu_mul;
  ByKind<EmbedArgs> embed;
  Slot<HeadNormArgs> head_norm;
  Slot<RopeArgs> rope;
  Slot<LogSoftmaxArgs> log_softmax;
  PackFn pack = nullptr;
  tensor::ExpandFn expand = nullptr;  // of coded weights
  LogitsKernels logits;               // for one row, on the calling thread
};

/// The largest shapes a caller will pass, for sizing the workspace.
struct WorkspaceLimits {
  int64_t rows = 0;  // of a batch
  int64_t k = 0;     // deepest linear
  int64_t q_heads = 0;
  int64_t head_dim = 0;
  int64_t context = 0;    // longest sequence in tokens
  int64_t sequences = 0;  // in a batch
  int threads = 1;
};

/// Bytes of ExecContext::workspace that suffice for every op of any table within the limits.
int64_t workspace_bytes(const WorkspaceLimits& limits);

/// The table of the CPU limited to `isa`; kUnavailable when this CPU lacks it.
Result<KernelTable> make_cpu_kernel_table(Isa isa);

}  // namespace strata::kernels
