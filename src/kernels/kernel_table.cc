// Fills the kernel table of the CPU from scalar upwards, and names instruction sets. The slots
// themselves are set by the functions of registry.h.
#include "kernels/kernel_table.h"

#include <algorithm>
#include <string>

#include "kernels/cpu_features.h"
#include "kernels/registry.h"

namespace strata::kernels {
namespace {

struct IsaName {
  Isa isa;
  std::string_view name;
};
constexpr IsaName kIsaNames[] = {{Isa::kScalar, "scalar"},
                                 {Isa::kAvx2, "avx2"},
                                 {Isa::kAvx512, "avx512"},
                                 {Isa::kAvx512Bf16, "avx512_bf16"},
                                 {Isa::kAmx, "amx"}};

}  // namespace

std::string_view isa_name(Isa isa) {
  for (const IsaName& row : kIsaNames) {
    if (row.isa == isa) return row.name;
  }
  return "unknown";
}

Result<Isa> parse_isa(std::string_view name) {
  for (const IsaName& row : kIsaNames) {
    if (row.name == name) return row.isa;
  }
  return fail(Code::kInvalidArgument, "instruction set", std::string(name),
              "scalar, avx2, avx512, avx512_bf16 or amx");
}

std::vector<Isa> available_isas() {
  const CpuFeatures& cpu = cpu_features();
  std::vector<Isa> isas = {Isa::kScalar};
  if (cpu.avx2) isas.push_back(Isa::kAvx2);
  if (cpu.avx512) isas.push_back(Isa::kAvx512);
  if (cpu.avx512_bf16) isas.push_back(Isa::kAvx512Bf16);
  if (cpu.amx_bf16) isas.push_back(Isa::kAmx);
  return isas;
}

Result<KernelTable> make_cpu_kernel_table(Isa isa) {
  const std::vector<Isa> available = available_isas();
  if (std::find(available.begin(), available.end(), isa) == available.end()) {
    return fail(Code::kUnavailable, "instruction set of this CPU", std::string(isa_name(isa)),
                "at most " + std::string(isa_name(available.back())));
  }
  KernelTable table;
  table.isa = isa;
  for (const Isa set : available) {
    if (set > isa) break;
    register_linear_ops(table, set);
    register_attention_ops(table, set);
    register_elementwise_ops(table, set);
    register_logits_passes(table, set);
  }
  return table;
}

int64_t workspace_bytes(const WorkspaceLimits& limits) {
  // Ops run one after the other and share the workspace.
  const int64_t bytes = std::max({linear_workspace_bytes(limits), attention_workspace_bytes(limits),
                                  elementwise_workspace_bytes(limits)});
  return tensor::round_up(bytes, 64);
}

}  // namespace strata::kernels
