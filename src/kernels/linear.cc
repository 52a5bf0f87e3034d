// Work items of linear ops. A pass takes up to kPassRows rows: their operands are packed into the
// workspace (shared by all parts), then items = (run of panels, block of rows). No arithmetic here.
#include "kernels/linear.h"

#include "base/check.h"
#include "kernels/items.h"

namespace strata::kernels {
namespace {

using tensor::kChunk;
using tensor::kPanel;

// Packed operands of a pass at K = 8192 are 16 MiB: they stay in L3 while the weights stream by,
// and reading the weights again every 512 rows costs under 2 % of the arithmetic.
constexpr int64_t kPassRows = 512;
// An item reads at least this much weight, so that claiming it costs nothing and memory sees long
// runs.
constexpr int64_t kItemBytes = int64_t{256} << 10;
// Fewer operand elements than this are packed by the caller: a hand-off would cost more.
constexpr int64_t kSerialPackElements = int64_t{64} << 10;

struct Pass {
  const LinearArgs* args;
  const LinearKernels* kernels;
  ExpandFn expand;
  std::byte* packed;  // the rows of the pass, block after block
  int64_t first_row;
  int64_t rows;
  int64_t blocks;  // of rows
  int64_t chunks;
  int64_t panels_per_item;
  int64_t block_items = 0;  // of all parts together

  RowGroups row_blocks() const { return {rows, blocks}; }
  std::byte* block_data(int64_t row) const {
    return packed + row * chunks * kChunk * kernels->operand_bytes;
  }
};

int64_t panels_of(const LinearPart& part) { return tensor::round_up(part.w.n, kPanel) / kPanel; }

// Of one block of rows.
int64_t items_of(const Pass& pass, const LinearPart& part) {
  return (panels_of(part) + pass.panels_per_item - 1) / pass.panels_per_item;
}

void pack_block(const void* raw, int64_t group, int) {
  const Pass& pass = *static_cast<const Pass*>(raw);
  const RowGroups blocks = pass.row_blocks();
  for (int64_t block = 0; block < pass.blocks; block++) {
    const RowGroups groups = RowGroups::cut(blocks.count(block), pass.kernels->group_rows);
    if (group >= groups.groups) {
      group -= groups.groups;
      continue;
    }
    const int64_t row = blocks.begin(block) + groups.begin(group);
    const int64_t element = tensor::operand_bytes(pass.args->parts[0].w.kind);
    const int64_t row_bytes = pass.args->x_stride * element;
    const auto* x =
        static_cast<const std::byte*>(pass.args->x) + (pass.first_row + row) * row_bytes;
    return pass.kernels->pack_rows(
        {x, row_bytes, groups.count(group), pass.chunks, pass.block_data(row)});
  }
}

int64_t groups_of(const Pass& pass) {
  int64_t total = 0;
  for (int64_t block = 0; block < pass.blocks; block++) {
    total += RowGroups::cut(pass.row_blocks().count(block), pass.kernels->group_rows).groups;
  }
  return total;
}

void pack_operands(const device::ExecContext& context, const Pass& pass) {
  const int64_t groups = groups_of(pass);
  if (pass.rows * pass.chunks * kChunk > kSerialPackElements) {
    run_items(context, groups, pack_block, &pass);
  } else {
    for (int64_t group = 0; group < groups; group++) pack_block(&pass, group, 0);
  }
}

void run_panels(const Pass& pass, const LinearPart& part, int64_t panel, int64_t block) {
  const int64_t row = pass.row_blocks().begin(block), col = panel * kPanel;
  const int64_t panels = panels_of(part) - panel;
  pass.kernels->run({
      .w = part.w.data + panel * part.w.panel_bytes(),
      .panel_bytes = part.w.panel_bytes(),
      .expand = part.w.coded() ? pass.expand : nullptr,
      .panels = panels < pass.panels_per_item ? panels : pass.panels_per_item,
      .chunks = pass.chunks,
      .x = pass.block_data(row),
      .rows = pass.row_blocks().count(block),
      .out = part.out + (pass.first_row + row) * part.out_stride + col,
      .out_stride = part.out_stride,
      .bias = part.bias == nullptr ? nullptr : part.bias + col,
      .cols = part.w.n - col,
      .accumulate = part.accumulate,
  });
}

// Blocks of rows outermost: all threads work on one block's operands, which stay in L3 (2 to 4 MiB
// at K = 8192) while the weights stream past once a block. The other order needs the operands of
// the whole pass there and lost a quarter at K = 8192.
void run_item(const void* raw, int64_t index, int) {
  const Pass& pass = *static_cast<const Pass*>(raw);
  const int64_t block = index / pass.block_items;
  int64_t item = index % pass.block_items;
  for (const LinearPart& part : pass.args->parts) {
    const int64_t items = items_of(pass, part);
    if (item < items) return run_panels(pass, part, item * pass.panels_per_item, block);
    item -= items;
  }
}

void run_pass(const device::ExecContext& context, Pass pass) {
  pack_operands(context, pass);
  for (const LinearPart& part : pass.args->parts) pass.block_items += items_of(pass, part);
  run_items(context, pass.block_items * pass.blocks, run_item, &pass);
}

}  // namespace

void run_linear(const device::ExecContext& context, const LinearArgs& args,
                const LinearKernels& kernels, ExpandFn expand) {
  if (args.parts.empty() || args.m == 0) return;
  const tensor::PackedMatrix& w = args.parts[0].w;
  for (const LinearPart& part : args.parts) {
    CHECK(part.w.kind == w.kind && part.w.k == w.k, "parts of one linear differ");
    CHECK(!part.w.coded() || part.w.kind == tensor::ProductKind::kBf16, "coded, and not bf16");
  }
  CHECK(static_cast<int64_t>(context.workspace.size()) >= linear_workspace_bytes(args.m, w.k),
        "workspace of linear");
  const int64_t chunks = tensor::round_up(w.k, kChunk) / kChunk;
  const int64_t panel_bytes = chunks * kPanel * kChunk * tensor::element_bytes(w.kind);
  for (int64_t row = 0; row < args.m; row += kPassRows) {
    const int64_t rows = args.m - row < kPassRows ? args.m - row : kPassRows;
    run_pass(context,
             {.args = &args,
              .kernels = &kernels,
              .expand = expand,
              .packed = context.workspace.data(),
              .first_row = row,
              .rows = rows,
              .blocks = (rows + kernels.block_rows - 1) / kernels.block_rows,
              .chunks = chunks,
              .panels_per_item = panel_bytes >= kItemBytes ? 1 : kItemBytes / panel_bytes});
  }
}

int64_t linear_workspace_bytes(int64_t rows, int64_t k) {
  return (rows < kPassRows ? rows : kPassRows) * tensor::round_up(k, kChunk) *
         static_cast<int64_t>(sizeof(float));
}

}  // namespace strata::kernels
