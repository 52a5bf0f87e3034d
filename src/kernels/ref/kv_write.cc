// Writes k and v of a batch into their KV blocks, in the compute layout of tensor/kv_format.h.
// Every ISA uses this one: it moves little (one token of one layer is a few KiB) and its bits are
// those of the conversion alone.
#include <cstring>

#include "kernels/items.h"
#include "kernels/ref/operand.h"
#include "kernels/ref/ref.h"

namespace strata::kernels {
namespace {

using tensor::ProductKind;

// The position of a work item: rows of one sequence that fall into one 32-token tile, so that
// filling the tile with zeros and writing its tokens is one thread's work.
struct TileRows {
  const SequenceView* sequence;
  int64_t begin, end;  // positions
};

int64_t tiles_of(const SequenceView& s) {
  if (s.rows == 0) return 0;
  return (s.first_position + s.rows - 1) / tensor::kKvTile - s.first_position / tensor::kKvTile + 1;
}

// `item` is below the number of tiles of all sequences together.
TileRows locate(const KvWriteArgs& args, int64_t item) {
  const SequenceView* s = args.sequences.data();
  for (; item >= tiles_of(*s); s++) item -= tiles_of(*s);
  const int64_t tile_begin = (s->first_position / tensor::kKvTile + item) * tensor::kKvTile;
  const int64_t last = s->first_position + s->rows, tile_end = tile_begin + tensor::kKvTile;
  return {s, tile_begin > s->first_position ? tile_begin : s->first_position,
          tile_end < last ? tile_end : last};
}

template <ProductKind kKind>
void write_tile(const void* opaque, int64_t item, int) {
  using Cache = typename Elements<kKind>::Cache;
  const auto& a = *static_cast<const KvWriteArgs*>(opaque);
  const tensor::KvShape& shape = a.kv.shape;
  const TileRows rows = locate(a, item);
  const SequenceView& s = *rows.sequence;
  const int64_t tile = rows.begin % shape.block_tokens / tensor::kKvTile;
  std::byte* layer = a.kv.base + s.blocks[rows.begin / shape.block_tokens] + a.kv.layer_offset;
  if (rows.begin % tensor::kKvTile == 0) {
    std::memset(layer + tile * shape.tile_bytes(), 0, static_cast<size_t>(shape.tile_bytes()));
  }
  for (int64_t position = rows.begin; position < rows.end; position++) {
    const int64_t row = s.first_row + position - s.first_position,
                  token = position % tensor::kKvTile;
    for (int64_t head = 0; head < shape.kv_heads; head++) {
      const float* k = a.k + row * a.k_stride + head * shape.head_dim;
      const float* v = a.v + row * a.v_stride + head * shape.head_dim;
      Cache* k_out = reinterpret_cast<Cache*>(layer + shape.k_offset(tile, head));
      Cache* v_out = reinterpret_cast<Cache*>(layer + shape.v_offset(tile, head));
      for (int64_t d = 0; d < shape.head_dim; d++) {
        put(k_out + tensor::packed_index(kKind, token, d, shape.head_dim), k[d]);
        put(v_out + tensor::packed_index(kKind, d, token, tensor::kKvTile), v[d]);
      }
    }
  }
}

}  // namespace

template <ProductKind kKind>
void ref_kv_write(const device::ExecContext& context, const KvWriteArgs& args) {
  int64_t items = 0;
  for (const SequenceView& s : args.sequences) items += tiles_of(s);
  run_items(context, items, write_tile<kKind>, &args);
}

template void ref_kv_write<ProductKind::kBf16>(const device::ExecContext&, const KvWriteArgs&);
template void ref_kv_write<ProductKind::kF16>(const device::ExecContext&, const KvWriteArgs&);
template void ref_kv_write<ProductKind::kF32>(const device::ExecContext&, const KvWriteArgs&);

}  // namespace strata::kernels
