// Work items, splits and merging of attention. A row tile is some tokens of one sequence times the
// query heads that share a key head; it meets its keys split by split, in blocks of rows that fit
// the tile functions. With many row tiles an item is a row tile from its first key to its last;
// with few (decode of some sequences) an item is a range of splits, whose results go to the
// workspace and are merged by a second pass in the same order. Where rows are few, an item takes
// several key heads together, so that memory is read in long runs. No arithmetic here.
#include "kernels/attention.h"

#include <algorithm>
#include <cfloat>
#include <cstring>

#include "base/check.h"
#include "kernels/items.h"
#include "kernels/linear_kernels.h"
#include "kernels/registry.h"

namespace strata::kernels {
namespace {

using tensor::kKvTile;
using tensor::round_up;

// Rows of a tile: enough that reading a split's keys again from L2 for each block of rows is cheap
// beside the arithmetic, few enough that their q and results stay in L2 beside those keys.
constexpr int64_t kTileRows = 48;
// With at least this many row tiles, one item each keeps any sensible number of threads busy.
constexpr int64_t kManyItems = 64;
// Bytes of keys and values that an item reads otherwise, at least.
constexpr int64_t kRangeBytes = int64_t{512} << 10;
// Neighbouring heads of one tile that are read as one run: scattered runs of 4, 8, 16 and 32 KiB
// reach about 14, 19, 23 and 25 GB/s on a core that reads 28 in order.
constexpr int64_t kRunBytes = int64_t{32} << 10;
constexpr int64_t kMaxRunHeads = 8;
// Results of splits awaiting the second pass; larger calls have enough rows to be cut by row tiles
// alone.
constexpr int64_t kPartialBytes = int64_t{16} << 20;
// Floats of m (and of l) that a block of rows keeps: whole vectors.
constexpr int64_t kBlockStats = kMaxBlockRows;

struct RowTile {
  const SequenceView* sequence;
  int64_t first;  // position
  int64_t tokens;
  int64_t first_split;  // of 256 keys
  int64_t splits;
  int64_t first_item;  // ranged only: items before this tile's, per run of heads
  float* partials;     // ranged only: [kv head][split][result_floats]
};

struct Plan {
  const AttentionArgs* args;
  const AttentionKernels* kernels;
  int64_t group;    // query heads of a key head
  int64_t padded;   // head size rounded up to 32
  int64_t columns;  // head size rounded up to 16
  RowTile* tiles;
  int64_t tile_count;
  int64_t tile_rows;     // of the largest tile
  int64_t run_heads;     // key heads of an item
  int64_t runs;          // of heads
  int64_t range_splits;  // splits of an item, where it is a range
  std::byte* scratch;    // per thread
  int64_t scratch_bytes;

  int64_t rows(const RowTile& tile) const { return tile.tokens * group; }
  RowGroups blocks(const RowTile& tile) const {
    return RowGroups::cut(rows(tile), kernels->max_rows);
  }
};

// Results of a row tile: o block after block, each [column tile][rows][16], then m and l of the
// blocks.
struct Result {
  float *o, *m, *l;
};

// Results of several heads: the first one's place, the others follow at `stride` floats.
struct Results {
  Result first;
  int64_t stride;
};

int64_t result_floats(int64_t rows, int64_t columns, int64_t blocks) {
  return rows * columns + 2 * blocks * kBlockStats;
}

Result result_at(float* at, const Plan& plan, const RowTile& tile) {
  float* stats = at + plan.rows(tile) * plan.columns;
  return {at, stats, stats + plan.blocks(tile).groups * kBlockStats};
}

// Scratch of one thread: prepared q and running result of each head of an item, one block's split
// result of each, scores.
struct Scratch {
  float* q;
  float* result;
  float* split;
  float* scores;
};

// Floats for each of these; a tile of `rows` rows has at most as many blocks.
struct ScratchSizes {
  int64_t q, result, split, scores;
  int64_t total() const { return q + result + split + scores; }
};

ScratchSizes scratch_sizes(int64_t heads, int64_t rows, int64_t padded) {
  const int64_t block = std::min(rows, kMaxBlockRows);
  return {heads * rows * padded, heads * result_floats(rows, padded, rows),
          heads * result_floats(block, padded, 1), heads * block * kSplitKeys};
}

Scratch scratch_of(const Plan& plan, int thread) {
  const ScratchSizes sizes = scratch_sizes(plan.run_heads, plan.tile_rows, plan.padded);
  auto* at = reinterpret_cast<float*>(plan.scratch + thread * plan.scratch_bytes);
  return {at, at + sizes.q, at + sizes.q + sizes.result, at + sizes.q + sizes.result + sizes.split};
}

int64_t first_key(const Plan& plan, int64_t position) {
  const int64_t window = plan.args->window;
  return window > 0 && position >= window ? position - window + 1 : 0;
}

// ---- keys ----

// Where the key tiles of one split lie that some row of the row tile sees: tiles [first, last)
// counted from the split's begin.
struct SplitKeys {
  int64_t first = 0, last = 0;
  const std::byte* k[kSplitTiles];
  const std::byte* v[kSplitTiles];
};

void locate_split(const Plan& plan, const RowTile& tile, int64_t head, int64_t split,
                  SplitKeys& keys) {
  const tensor::KvShape& shape = plan.args->kv.shape;
  const int64_t begin = split * kSplitKeys, seen = tile.first + tile.tokens;
  keys.first = std::max<int64_t>(first_key(plan, tile.first) - begin, 0) / kKvTile;
  keys.last = std::min(kSplitTiles, (seen - begin + kKvTile - 1) / kKvTile);
  const std::byte* layer = plan.args->kv.base + plan.args->kv.layer_offset;
  for (int64_t t = keys.first; t < keys.last; t++) {
    const int64_t position = begin + t * kKvTile;
    const std::byte* block = layer + tile.sequence->blocks[position / shape.block_tokens];
    const int64_t in_block = position % shape.block_tokens / kKvTile;
    keys.k[t] = block + shape.k_offset(in_block, head);
    keys.v[t] = block + shape.v_offset(in_block, head);
  }
}

// Which tiles a block of rows sees, and which keys each of its rows; false if it sees none of this
// split.
bool aim_split(const Plan& plan, const RowTile& tile, int64_t split, int64_t first_row,
               AttentionSplit& s, int64_t& first_tile) {
  const int64_t begin = split * kSplitKeys;
  const int64_t oldest = tile.first + first_row / plan.group;
  const int64_t newest = tile.first + (first_row + s.rows - 1) / plan.group;
  const int64_t low = std::max(first_key(plan, oldest), begin);
  const int64_t high = std::min(newest + 1, begin + kSplitKeys);
  if (low >= high) return false;
  first_tile = (low - begin) / kKvTile;
  s.tiles = (high - begin + kKvTile - 1) / kKvTile - first_tile;
  const int64_t base = begin + first_tile * kKvTile, keys = s.tiles * kKvTile;
  s.last_keys = high - base - keys + kKvTile;
  for (int64_t row = 0; row < s.rows; row++) {
    const int64_t position = tile.first + (first_row + row) / plan.group;
    s.begin[row] =
        static_cast<int32_t>(std::clamp<int64_t>(first_key(plan, position) - base, 0, keys));
    s.end[row] = static_cast<int32_t>(std::clamp<int64_t>(position + 1 - base, 0, keys));
  }
  return true;
}

// ---- one row tile against a range of splits ----

const std::byte* query(const Plan& plan, const RowTile& tile, int64_t head, int64_t row) {
  const AttentionArgs& a = *plan.args;
  const int64_t token =
      tile.sequence->first_row + tile.first - tile.sequence->first_position + row / plan.group;
  const int64_t q_head = head * plan.group + row % plan.group;
  const int64_t bytes = plan.padded * tensor::operand_bytes(a.kv.shape.kind);
  return static_cast<const std::byte*>(a.q) + (token * a.q_heads + q_head) * bytes;
}

void prepare_tile(const Plan& plan, const RowTile& tile, int64_t head, float* out) {
  const RowGroups blocks = plan.blocks(tile);
  for (int64_t b = 0; b < blocks.groups; b++) {
    AttentionPrepare prepare = {
        blocks.count(b), plan.padded / tensor::kChunk, {}, out + blocks.begin(b) * plan.padded};
    for (int64_t row = 0; row < prepare.rows; row++)
      prepare.q[row] = query(plan, tile, head, blocks.begin(b) + row);
    plan.kernels->prepare(prepare);
  }
}

// Some key heads of a row tile.
struct Work {
  const Plan* plan;
  const RowTile* tile;
  int64_t head;  // the first
  int64_t heads;
  Scratch scratch;
  RowGroups blocks;

  int64_t floats() const { return result_floats(plan->rows(*tile), plan->columns, blocks.groups); }
};

Work start(const Plan& plan, const RowTile& tile, int64_t run, int thread) {
  const int64_t head = run * plan.run_heads;
  const int64_t heads = std::min(plan.run_heads, plan.args->kv.shape.kv_heads - head);
  return {&plan, &tile, head, heads, scratch_of(plan, thread), plan.blocks(tile)};
}

void prepare(const Work& work) {
  const int64_t floats = work.plan->rows(*work.tile) * work.plan->padded;
  for (int64_t h = 0; h < work.heads; h++) {
    prepare_tile(*work.plan, *work.tile, work.head + h, work.scratch.q + h * floats);
  }
}

// Computes one block of rows against one split; false (and nothing written) if the block sees none
// of its keys.
bool run_split(const Work& work, int64_t split, int64_t block, const SplitKeys& keys,
               const SplitKeys& next, const Results& out) {
  const Plan& plan = *work.plan;
  AttentionSplit s;
  s.heads = work.heads;
  s.head_bytes = plan.args->kv.shape.head_tile_bytes();
  s.rows = work.blocks.count(block);
  const int64_t first_row = work.blocks.begin(block);
  int64_t first = 0;
  if (!aim_split(plan, *work.tile, split, first_row, s, first)) return false;
  s.chunks = plan.padded / tensor::kChunk;
  s.column_tiles = plan.columns / 16;
  s.q = work.scratch.q + first_row * plan.padded;
  s.q_stride = plan.rows(*work.tile) * plan.padded;
  s.k = keys.k + first;
  s.v = keys.v + first;
  s.next = next.first < next.last ? next.k[next.first] : keys.k[first];
  s.scale = plan.args->scale;
  s.scores = work.scratch.scores;
  s.result_stride = out.stride;
  s.o = out.first.o;
  s.m = out.first.m;
  s.l = out.first.l;
  plan.kernels->split(s);
  return true;
}

Result block_of(const Work& work, const Result& tile, int64_t block) {
  const int64_t stats = block * kBlockStats;
  return {tile.o + work.blocks.begin(block) * work.plan->columns, tile.m + stats, tile.l + stats};
}

// The running result of one head of the item.
Result running(const Work& work, int64_t h) {
  return result_at(work.scratch.result + h * work.floats(), *work.plan, *work.tile);
}

// The result of rows that saw no key: merging it changes nothing, and merging into it copies.
void clear(const Result& result, int64_t rows, int64_t columns) {
  std::fill_n(result.o, rows * columns, 0.0f);
  std::fill_n(result.m, kBlockStats, -FLT_MAX);
  std::fill_n(result.l, kBlockStats, 0.0f);
}

void clear_running(const Work& work) {
  for (int64_t h = 0; h < work.heads; h++) {
    for (int64_t b = 0; b < work.blocks.groups; b++) {
      clear(block_of(work, running(work, h), b), work.blocks.count(b), work.plan->columns);
    }
  }
}

void merge(const Work& work, int64_t block, const Result& into, const Result& from) {
  work.plan->kernels->merge({work.blocks.count(block), work.plan->columns / 16, into.o, into.m,
                             into.l, from.o, from.m, from.l});
}

void finish_head(const Work& work, int64_t h, std::byte* out) {
  const Plan& plan = *work.plan;
  const AttentionArgs& a = *plan.args;
  const int64_t bytes = tensor::operand_bytes(a.kv.shape.kind), head_dim = a.kv.shape.head_dim;
  for (int64_t b = 0; b < work.blocks.groups; b++) {
    const Result block = block_of(work, running(work, h), b);
    AttentionFinish finish = {work.blocks.count(b), head_dim, block.o, block.l, {}};
    for (int64_t i = 0; i < finish.rows; i++) {
      const int64_t row = work.blocks.begin(b) + i;
      const int64_t q_head = (work.head + h) * plan.group + row % plan.group;
      finish.out[i] = out + (row / plan.group * a.out_stride + q_head * head_dim) * bytes;
    }
    plan.kernels->finish(finish);
  }
}

void finish(const Work& work) {
  const AttentionArgs& a = *work.plan->args;
  const int64_t bytes = tensor::operand_bytes(a.kv.shape.kind);
  const int64_t token =
      work.tile->sequence->first_row + work.tile->first - work.tile->sequence->first_position;
  std::byte* out = static_cast<std::byte*>(a.out) + token * a.out_stride * bytes;
  for (int64_t h = 0; h < work.heads; h++) finish_head(work, h, out);
  if (work.head + work.heads < a.kv.shape.kv_heads) return;
  const int64_t columns = a.q_heads * a.kv.shape.head_dim,
                padding = round_up(columns, tensor::kChunk) - columns;
  for (int64_t t = 0; t < work.tile->tokens; t++) {
    std::memset(out + (t * a.out_stride + columns) * bytes, 0,
                static_cast<size_t>(padding * bytes));
  }
}

// Calls each(split, keys, keys of the next split) for the splits [begin, end) of a row tile.
template <class Each>
void walk_splits(const Work& work, int64_t begin, int64_t end, Each each) {
  SplitKeys keys[2];
  locate_split(*work.plan, *work.tile, work.head, begin, keys[0]);
  for (int64_t split = begin; split < end; split++) {
    SplitKeys& next = keys[(split - begin + 1) % 2];
    next.first = next.last = 0;
    if (split + 1 < end) locate_split(*work.plan, *work.tile, work.head, split + 1, next);
    each(split, keys[(split - begin) % 2], next);
  }
}

// ---- items ----

// A row tile over all its splits, merged as they come.
void whole_item(const void* opaque, int64_t item, int thread) {
  const Plan& plan = *static_cast<const Plan*>(opaque);
  const RowTile& tile = plan.tiles[item / plan.runs];
  const Work work = start(plan, tile, item % plan.runs, thread);
  prepare(work);
  clear_running(work);
  const auto each = [&](int64_t split, const SplitKeys& keys, const SplitKeys& next) {
    for (int64_t b = 0; b < work.blocks.groups; b++) {
      const int64_t rows = work.blocks.count(b), floats = result_floats(rows, plan.columns, 1);
      float* stats = work.scratch.split + rows * plan.columns;
      const Result first = {work.scratch.split, stats, stats + kBlockStats};
      if (!run_split(work, split, b, keys, next, {first, floats})) continue;
      for (int64_t h = 0; h < work.heads; h++) {
        const int64_t at = h * floats;
        merge(work, b, block_of(work, running(work, h), b),
              {first.o + at, first.m + at, first.l + at});
      }
    }
  };
  walk_splits(work, tile.first_split, tile.first_split + tile.splits, each);
  finish(work);
}

Result partial(const Work& work, int64_t h, int64_t split) {
  const RowTile& tile = *work.tile;
  const int64_t index = (work.head + h) * tile.splits + split - tile.first_split;
  return result_at(tile.partials + index * work.floats(), *work.plan, tile);
}

// Some splits of a row tile, each result to its place in the workspace.
void range_item(const void* opaque, int64_t item, int thread) {
  const Plan& plan = *static_cast<const Plan*>(opaque);
  const RowTile* tile = plan.tiles + plan.tile_count - 1;
  while (tile->first_item * plan.runs > item) tile--;
  const int64_t local = item - tile->first_item * plan.runs;
  const Work work = start(plan, *tile, local % plan.runs, thread);
  prepare(work);
  const auto each = [&](int64_t split, const SplitKeys& keys, const SplitKeys& next) {
    const int64_t stride = tile->splits * work.floats();
    for (int64_t b = 0; b < work.blocks.groups; b++) {
      if (run_split(work, split, b, keys, next,
                    {block_of(work, partial(work, 0, split), b), stride}))
        continue;
      for (int64_t h = 0; h < work.heads; h++) {
        clear(block_of(work, partial(work, h, split), b), work.blocks.count(b), plan.columns);
      }
    }
  };
  const int64_t begin = tile->first_split + local / plan.runs * plan.range_splits;
  walk_splits(work, begin, std::min(begin + plan.range_splits, tile->first_split + tile->splits),
              each);
}

void merge_item(const void* opaque, int64_t item, int thread) {
  const Plan& plan = *static_cast<const Plan*>(opaque);
  const RowTile& tile = plan.tiles[item / plan.runs];
  const Work work = start(plan, tile, item % plan.runs, thread);
  clear_running(work);
  for (int64_t h = 0; h < work.heads; h++) {
    for (int64_t split = tile.first_split; split < tile.first_split + tile.splits; split++) {
      for (int64_t b = 0; b < work.blocks.groups; b++) {
        merge(work, b, block_of(work, running(work, h), b),
              block_of(work, partial(work, h, split), b));
      }
    }
  }
  finish(work);
}

// ---- plan ----

int64_t tile_tokens(int64_t group) { return std::max<int64_t>(1, kTileRows / group); }

RowTile make_tile(const Plan& plan, const SequenceView& s, int64_t first, int64_t tokens) {
  const int64_t first_split = first_key(plan, first) / kSplitKeys;
  const int64_t last_split = (first + tokens - 1) / kSplitKeys;
  return {&s, first, tokens, first_split, last_split - first_split + 1, 0, nullptr};
}

// Cuts the sequences into row tiles; the longest come first, so that the last ones to finish are
// short.
void cut_tiles(Plan& plan) {
  for (const SequenceView& s : plan.args->sequences) {
    if (s.rows == 0) continue;
    const RowGroups cut = RowGroups::cut(s.rows, tile_tokens(plan.group));
    for (int64_t i = 0; i < cut.groups; i++) {
      RowTile& tile = plan.tiles[plan.tile_count++] =
          make_tile(plan, s, s.first_position + cut.begin(i), cut.count(i));
      plan.tile_rows = std::max(plan.tile_rows, plan.rows(tile));
    }
  }
  std::sort(plan.tiles, plan.tiles + plan.tile_count, [&](const RowTile& a, const RowTile& b) {
    const int64_t cost_a = a.splits * a.tokens, cost_b = b.splits * b.tokens;
    if (cost_a != cost_b) return cost_a > cost_b;
    // Never by the addresses of a and b: one of them may be the sort's own copy.
    return a.sequence != b.sequence ? a.sequence < b.sequence : a.first < b.first;
  });
}

// How many key heads an item takes, and how many splits if it is a range of them.
void cut_heads(Plan& plan) {
  const tensor::KvShape& shape = plan.args->kv.shape;
  // With many rows the arithmetic bounds, and one head's keys should stay in L2.
  const bool few_rows = plan.tile_rows <= kMaxBlockRows;
  const int64_t run = std::clamp<int64_t>(kRunBytes / shape.head_tile_bytes(), 1, kMaxRunHeads);
  plan.run_heads = few_rows ? std::min(run, shape.kv_heads) : 1;
  plan.runs = (shape.kv_heads + plan.run_heads - 1) / plan.run_heads;
  const int64_t split_bytes = 2 * kSplitTiles * plan.run_heads * shape.head_tile_bytes();
  plan.range_splits = (kRangeBytes + split_bytes - 1) / split_bytes;
}

// Items of range_item, or 0 where whole row tiles serve better. Sets the tiles' places in
// `partials`.
int64_t cut_ranges(Plan& plan, float* partials) {
  int64_t ranges = 0, floats = 0;
  for (int64_t t = 0; t < plan.tile_count; t++) {
    RowTile& tile = plan.tiles[t];
    tile.first_item = ranges;
    tile.partials = partials + floats;
    ranges += (tile.splits + plan.range_splits - 1) / plan.range_splits;
    floats += plan.args->kv.shape.kv_heads * tile.splits *
              result_floats(plan.rows(tile), plan.columns, plan.blocks(tile).groups);
  }
  const bool useful = plan.tile_count * plan.runs < kManyItems && ranges > plan.tile_count;
  return useful && floats * 4 <= kPartialBytes ? ranges * plan.runs : 0;
}

int64_t partial_bytes(int64_t rows, int64_t q_heads, int64_t head_dim, int64_t context) {
  const int64_t splits = context / kSplitKeys + 1;
  const int64_t row_floats = round_up(head_dim, tensor::kChunk) + 2 * kBlockStats;
  return std::min(kPartialBytes, rows * q_heads * splits * row_floats * 4);
}

}  // namespace

void run_attention(const device::ExecContext& context, const AttentionArgs& args,
                   const AttentionKernels& kernels) {
  const tensor::KvShape& shape = args.kv.shape;
  Plan plan = {};
  plan.args = &args;
  plan.kernels = &kernels;
  plan.group = args.q_heads / shape.kv_heads;
  plan.padded = shape.padded_dim();
  plan.columns = round_up(shape.head_dim, 16);
  plan.tiles = reinterpret_cast<RowTile*>(context.workspace.data());
  int64_t rows = 0;
  for (const SequenceView& s : args.sequences) rows += s.rows;
  if (rows == 0) return;
  const int64_t tile_bytes = round_up(rows * static_cast<int64_t>(sizeof(RowTile)), 64);
  CHECK(tile_bytes <= std::ssize(context.workspace), "workspace too small for attention");
  cut_tiles(plan);
  cut_heads(plan);
  plan.scratch = context.workspace.data() + tile_bytes;
  plan.scratch_bytes =
      round_up(scratch_sizes(plan.run_heads, plan.tile_rows, plan.padded).total() * 4, 64);
  const int64_t fixed = tile_bytes + pool_threads(context) * plan.scratch_bytes;
  CHECK(fixed <= std::ssize(context.workspace), "workspace too small for attention");
  const int64_t ranged =
      cut_ranges(plan, reinterpret_cast<float*>(context.workspace.data() + fixed));
  if (ranged == 0) return run_items(context, plan.tile_count * plan.runs, whole_item, &plan);
  run_items(context, ranged, range_item, &plan);
  run_items(context, plan.tile_count * plan.runs, merge_item, &plan);
}

int64_t attention_workspace_bytes(const WorkspaceLimits& limits) {
  const int64_t padded = round_up(limits.head_dim, tensor::kChunk);
  const int64_t tiles = round_up(limits.rows * static_cast<int64_t>(sizeof(RowTile)), 64);
  // An item takes one head of a whole row tile or several of a small one.
  const int64_t one = scratch_sizes(1, std::max(kTileRows, limits.q_heads), padded).total();
  const int64_t several = scratch_sizes(kMaxRunHeads, kMaxBlockRows, padded).total();
  const int64_t scratch = round_up(std::max(one, several) * 4, 64);
  return tiles + limits.threads * scratch +
         partial_bytes(limits.rows, limits.q_heads, limits.head_dim, limits.context);
}

}  // namespace strata::kernels
