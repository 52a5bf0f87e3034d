// The kernel table: which sets exist, that every slot is filled from the best set allowed, and what
// is refused.
#include "kernels/kernel_table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/linear.h"

namespace strata::kernels {
namespace {

template <class Slots>
void expect_filled(const Slots& slots, Isa most, const char* op) {
  for (const auto& slot : slots) {
    EXPECT_NE(slot.fn, nullptr) << op;
    EXPECT_LE(slot.isa, most) << op;
  }
}

TEST(KernelTable, ScalarIsAlwaysThereAndSetsAscend) {
  const std::vector<Isa> isas = available_isas();
  EXPECT_EQ(isas.front(), Isa::kScalar);
  EXPECT_TRUE(std::is_sorted(isas.begin(), isas.end()));
}

TEST(KernelTable, EverySlotIsFilledWithinTheLimit) {
  for (const Isa isa : available_isas()) {
    const auto table = make_cpu_kernel_table(isa);
    ASSERT_TRUE(table.has_value());
    EXPECT_EQ(table->isa, isa);
    expect_filled(table->linear, isa, "linear");
    expect_filled(table->kv_write, isa, "kv_write");
    expect_filled(table->attention, isa, "attention");
    expect_filled(table->rms_norm, isa, "rms_norm");
    expect_filled(table->query_operand, isa, "query_operand");
    expect_filled(table->silu_mul, isa, "silu_mul");
    expect_filled(table->embed, isa, "embed");
    expect_filled(std::array{table->head_norm}, isa, "head_norm");
    expect_filled(std::array{table->rope}, isa, "rope");
    expect_filled(std::array{table->log_softmax}, isa, "log_softmax");
    EXPECT_NE(table->pack, nullptr);
    EXPECT_NE(table->logits.block_max, nullptr);
    EXPECT_NE(table->logits.split, nullptr);
    // bf16 products have a kernel of their own in every set.
    EXPECT_EQ(table->linear[0].isa, isa);
  }
}

TEST(KernelTable, RefusesASetThatTheCpuLacks) {
  const std::vector<Isa> isas = available_isas();
  for (const Isa isa : {Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmx}) {
    if (std::find(isas.begin(), isas.end(), isa) != isas.end()) continue;
    const auto table = make_cpu_kernel_table(isa);
    ASSERT_FALSE(table.has_value());
    EXPECT_EQ(table.error().code, Code::kUnavailable);
    EXPECT_EQ(table.error().got, isa_name(isa));
  }
}

TEST(KernelTable, NamesOfSetsRoundTrip) {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmx})
    EXPECT_EQ(parse_isa(isa_name(isa)), isa);
  const auto wrong = parse_isa("sse9");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, Code::kInvalidArgument);
}

TEST(KernelTable, WorkspaceGrowsWithTheLimits) {
  const WorkspaceLimits small{
      .rows = 1, .k = 2048, .q_heads = 32, .head_dim = 64, .context = 128, .sequences = 1};
  WorkspaceLimits large = small;
  large.rows = 512;
  EXPECT_GE(workspace_bytes(small), linear_workspace_bytes(1, 2048));
  EXPECT_GE(workspace_bytes(large), linear_workspace_bytes(512, 2048));
  EXPECT_EQ(workspace_bytes(large) % 64, 0);
}

}  // namespace
}  // namespace strata::kernels
