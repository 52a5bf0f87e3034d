// Attention of one query row and head at a time, exactly in the order of docs/design/numerics.md:
// splits of 256 keys at absolute positions, one softmax each, merged left to right.
#include "kernels/items.h"
#include "kernels/ref/math.h"
#include "kernels/ref/operand.h"
#include "kernels/ref/ref.h"

namespace strata::kernels {
namespace {

using tensor::ProductKind;

constexpr int64_t kSplit = 256;

template <ProductKind kKind>
struct HeadRow {
  using Operand = typename Elements<kKind>::Operand;
  using Cache = typename Elements<kKind>::Cache;
  const AttentionArgs& args;
  const SequenceView& sequence;
  const Operand* q;
  int64_t kv_head;
  int64_t first, last;  // visible positions, both inside

  const std::byte* tile(int64_t position) const {
    const int64_t block = sequence.blocks[position / args.kv.shape.block_tokens];
    return args.kv.base + block + args.kv.layer_offset;
  }
  const Cache* k_tile(int64_t position) const {
    const int64_t index = position % args.kv.shape.block_tokens / tensor::kKvTile;
    return reinterpret_cast<const Cache*>(tile(position) + args.kv.shape.k_offset(index, kv_head));
  }
  const Cache* v_tile(int64_t position) const {
    const int64_t index = position % args.kv.shape.block_tokens / tensor::kKvTile;
    return reinterpret_cast<const Cache*>(tile(position) + args.kv.shape.v_offset(index, kv_head));
  }

  float score(int64_t position) const {
    const int64_t dim = args.kv.shape.head_dim, token = position % tensor::kKvTile;
    const Cache* k = k_tile(position);
    float acc = 0;
    for (int64_t chunk = 0; chunk < dim; chunk += tensor::kChunk) {
      float e = 0, o = 0;
      for (int64_t i = chunk; i < chunk + tensor::kChunk; i += 2) {
        e = __builtin_fmaf(get(q[i]), get(k[tensor::packed_index(kKind, token, i, dim)]), e);
        o = __builtin_fmaf(get(q[i + 1]), get(k[tensor::packed_index(kKind, token, i + 1, dim)]),
                           o);
      }
      acc = acc + (e + o);
    }
    return acc * args.scale;
  }

  // P.v of one split for output column d. A tile of keys that this row does not see contributes
  // nothing and may not exist.
  float value(const float* p, int64_t split, int64_t d) const {
    float acc = 0;
    for (int64_t at = 0; at < kSplit; at += tensor::kKvTile) {
      if (split + at > last || split + at + tensor::kKvTile <= first) continue;
      const Cache* v = v_tile(split + at);
      float e = 0, o = 0;
      for (int64_t i = 0; i < tensor::kKvTile; i += 2) {
        e = __builtin_fmaf(p[at + i], get(v[tensor::packed_index(kKind, d, i, tensor::kKvTile)]),
                           e);
        o = __builtin_fmaf(p[at + i + 1],
                           get(v[tensor::packed_index(kKind, d, i + 1, tensor::kKvTile)]), o);
      }
      acc = acc + (e + o);
    }
    return acc;
  }

  // P of the split into p (masked +0) and the maximum of its visible scores.
  float probabilities(int64_t split, float* p) const {
    const int64_t begin = first > split ? first : split;
    const int64_t end = last < split + kSplit - 1 ? last : split + kSplit - 1;
    float max = -__builtin_inff();
    for (int64_t i = begin; i <= end; i++) {
      p[i - split] = score(i);
      max = p[i - split] > max ? p[i - split] : max;
    }
    for (int64_t i = 0; i < kSplit; i++) {
      const bool visible = split + i >= begin && split + i <= end;
      p[i] = visible ? as_operand<kKind>(exp_f32(p[i] - max)) : 0.0f;
    }
    return max;
  }
};

// `o` is scratch of the head's size.
template <ProductKind kKind>
void attend(const HeadRow<kKind>& row, float* o, typename Elements<kKind>::Operand* out) {
  const int64_t dim = row.args.kv.shape.head_dim;
  float p[kSplit] = {}, m = 0, l = 0;
  for (int64_t split = row.first / kSplit * kSplit; split <= row.last; split += kSplit) {
    const bool first = split <= row.first;
    const float m_j = row.probabilities(split, p);
    float sums[16] = {};
    for (int64_t i = 0; i < kSplit; i++) sums[i % 16] = sums[i % 16] + p[i];
    const float l_j = fold_tree(sums);
    const float max = first || m_j > m ? m_j : m;
    const float a = exp_f32(m - max), b = exp_f32(m_j - max);
    l = first ? l_j : __builtin_fmaf(l, a, l_j * b);
    for (int64_t d = 0; d < dim; d++) {
      const float o_j = row.value(p, split, d);
      o[d] = first ? o_j : __builtin_fmaf(o[d], a, o_j * b);
    }
    m = max;
  }
  for (int64_t d = 0; d < dim; d++) put(out + d, o[d] / l + 0.0f);
}

template <ProductKind kKind>
void attend_row(const AttentionArgs& a, const SequenceView& s, int64_t position, float* scratch) {
  using Operand = typename Elements<kKind>::Operand;
  const tensor::KvShape& shape = a.kv.shape;
  const int64_t row = s.first_row + position - s.first_position;
  const int64_t first = a.window > 0 && position >= a.window ? position - a.window + 1 : 0;
  const int64_t columns = a.q_heads * shape.head_dim, group = a.q_heads / shape.kv_heads;
  const Operand* q = static_cast<const Operand*>(a.q) + row * a.q_heads * shape.padded_dim();
  Operand* out = static_cast<Operand*>(a.out) + row * a.out_stride;
  for (int64_t head = 0; head < a.q_heads; head++) {
    attend<kKind>({a, s, q + head * shape.padded_dim(), head / group, first, position}, scratch,
                  out + head * shape.head_dim);
  }
  for (int64_t j = columns; j < tensor::round_up(columns, tensor::kChunk); j++) put(out + j, 0.0f);
}

struct Job {
  const AttentionArgs* args;
  float* scratch;  // [threads][padded head_dim]
};

template <ProductKind kKind>
void attend_item(const void* opaque, int64_t item, int thread) {
  const Job& job = *static_cast<const Job*>(opaque);
  const AttentionArgs& a = *job.args;
  float* scratch = job.scratch + thread * a.kv.shape.padded_dim();
  for (const SequenceView& s : a.sequences) {
    if (item < s.rows) return attend_row<kKind>(a, s, s.first_position + item, scratch);
    item -= s.rows;
  }
}

}  // namespace

template <ProductKind kKind>
void ref_attention(const device::ExecContext& context, const AttentionArgs& args) {
  int64_t rows = 0;
  for (const SequenceView& s : args.sequences) rows += s.rows;
  const Job job = {&args, reinterpret_cast<float*>(context.workspace.data())};
  run_items(context, rows, attend_item<kKind>, &job);
}

template void ref_attention<ProductKind::kBf16>(const device::ExecContext&, const AttentionArgs&);
template void ref_attention<ProductKind::kF16>(const device::ExecContext&, const AttentionArgs&);
template void ref_attention<ProductKind::kF32>(const device::ExecContext&, const AttentionArgs&);

}  // namespace strata::kernels
