// Every attention kernel gives the bits of the scalar definition (kernels/ref/attention.cc) for a
// row, whatever comes along in the batch, however a prompt is cut and however many threads there
// are; and kv_write puts keys and values where the format says.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "attention_variants.h"
#include "base/compute_pool.h"
#include "kernels/attention.h"
#include "kernels/cpu_features.h"
#include "kernels/ref/ref.h"
#include "kernels/registry.h"
#include "kv_world.h"
#if defined(__x86_64__)
#include "kernels/x86/attention_units.h"
#endif

namespace strata::kernels {
namespace {

using tensor::ProductKind;

constexpr ProductKind kKinds[] = {ProductKind::kBf16, ProductKind::kF16, ProductKind::kF32};

struct Variant {
  std::string name;
  const AttentionKernels* kernels;  // by kind; an empty one is left out
};

std::vector<Variant> variants() {
  std::vector<Variant> found = {{"small_wide_on_scalar16", kSmallWideOnScalar16},
                                {"small_narrow_on_scalar16", kSmallNarrowOnScalar16},
                                {"emulated_dot", kEmulatedDotAttention},
                                {"emulated_amx", kEmulatedAmxAttention}};
#if defined(__x86_64__)
  const CpuFeatures& cpu = cpu_features();
  if (cpu.avx2) found.push_back({"avx2", kAttentionAvx2});
  if (cpu.avx2) found.push_back({"wide_on_avx2", kWideAttentionOnAvx2});
  if (cpu.avx512) found.push_back({"avx512", kAttentionAvx512});
  if (cpu.avx512) found.push_back({"narrow_on_avx512", kNarrowAttentionOnAvx512});
  if (cpu.avx512_bf16) found.push_back({"avx512_bf16", kAttentionAvx512Bf16});
  if (cpu.amx_bf16) found.push_back({"amx", kAttentionAmx});
#endif
  return found;
}

ComputePool* pool_of(int threads) {
  static std::unique_ptr<ComputePool> pools[4];
  auto& pool = pools[threads];
  if (!pool) pool = ComputePool::create(threads).value();
  return pool.get();
}

template <class Args>
using Op = void (*)(const device::ExecContext&, const Args&);

template <class Args>
Op<Args> by_kind(ProductKind kind, Op<Args> bf16, Op<Args> f16, Op<Args> f32) {
  return kind == ProductKind::kBf16 ? bf16 : kind == ProductKind::kF16 ? f16 : f32;
}

Op<KvWriteArgs> ref_write(ProductKind kind) {
  return by_kind<KvWriteArgs>(kind, ref_kv_write<ProductKind::kBf16>,
                              ref_kv_write<ProductKind::kF16>, ref_kv_write<ProductKind::kF32>);
}

Op<AttentionArgs> ref_attend(ProductKind kind) {
  return by_kind<AttentionArgs>(kind, ref_attention<ProductKind::kBf16>,
                                ref_attention<ProductKind::kF16>, ref_attention<ProductKind::kF32>);
}

void write_all(KvWorld& world) {
  device::ExecContext context;
  std::vector<SequenceView> views;
  for (size_t i = 0; i < world.spec().contexts.size(); i++) {
    ref_write(world.spec().kind)(context, world.write_args(i, 0, world.spec().contexts[i], views));
  }
}

// One attention problem with the answer of the reference.
class Problem {
 public:
  explicit Problem(const KvCase& c) : world_(c) {
    write_all(world_);
    q_ = world_.queries();
    world_.drop_old_blocks();
    views_ = world_.views();
    for (const SequenceView& view : views_) rows_ += view.rows;
    const int64_t longest = *std::max_element(c.contexts.begin(), c.contexts.end());
    const int64_t bytes = attention_workspace_bytes(
        {rows_, 32, c.q_heads, c.head_dim, longest, std::ssize(c.contexts), 3});
    workspace_.resize(static_cast<size_t>(bytes / 64 + 1));
    expected_ = fresh_output();
    run(ref_attend(c.kind), 2, views_, expected_);
  }

  std::vector<std::byte> fresh_output() const {
    return std::vector<std::byte>(static_cast<size_t>(rows_ * stride() * element()),
                                  std::byte{0x5a});
  }

  void run(Op<AttentionArgs> op, int threads, std::span<const SequenceView> views,
           std::vector<std::byte>& out) {
    op(context(threads), args(views, out));
  }
  void run(const AttentionKernels& kernels, int threads, std::span<const SequenceView> views,
           std::vector<std::byte>& out) {
    run_attention(context(threads), args(views, out), kernels);
  }

  // The same rows in one call, in one call per sequence, and in calls of `chunk` rows of a
  // sequence.
  void check(const Variant& variant) {
    const AttentionKernels& kernels = variant.kernels[static_cast<int>(world_.spec().kind)];
    if (kernels.split == nullptr) return;
    for (const int threads : {1, 2, 3}) {
      std::vector<std::byte> out = fresh_output();
      run(kernels, threads, views_, out);
      compare(out, variant.name + " batch, threads " + std::to_string(threads));
    }
    for (const int64_t chunk : {int64_t{1000000}, int64_t{17}, int64_t{1}}) {
      std::vector<std::byte> out = fresh_output();
      for (const SequenceView& view : views_) run_chunks(kernels, view, chunk, out);
      compare(out, variant.name + " in chunks of " + std::to_string(chunk));
    }
  }

 private:
  int64_t columns() const { return world_.spec().q_heads * world_.spec().head_dim; }
  int64_t stride() const { return tensor::round_up(columns(), 32) + 32; }
  int64_t element() const { return tensor::operand_bytes(world_.spec().kind); }

  device::ExecContext context(int threads) {
    return {nullptr, 0, std::as_writable_bytes(std::span(workspace_)), pool_of(threads)};
  }

  AttentionArgs args(std::span<const SequenceView> views, std::vector<std::byte>& out) {
    const KvCase& c = world_.spec();
    const float scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
    return {world_.layer(), c.q_heads, q_.data(), out.data(), stride(), scale, c.window, views};
  }

  void run_chunks(const AttentionKernels& kernels, const SequenceView& view, int64_t chunk,
                  std::vector<std::byte>& out) {
    for (int64_t at = 0; at < view.rows; at += chunk) {
      const SequenceView part = {view.first_row + at, std::min(chunk, view.rows - at),
                                 view.first_position + at, view.blocks};
      run(kernels, 2, {&part, 1}, out);
    }
  }

  void compare(const std::vector<std::byte>& out, const std::string& what) {
    for (size_t i = 0; i < out.size(); i++) {
      if (out[i] == expected_[i]) continue;
      const int64_t index = static_cast<int64_t>(i) / element();
      ADD_FAILURE() << what << ": row " << index / stride() << " of " << rows_ << ", column "
                    << index % stride();
      return;
    }
  }

  struct alignas(64) Line {
    std::byte bytes[64];
  };
  KvWorld world_;
  std::vector<std::byte> q_;
  std::vector<SequenceView> views_;
  int64_t rows_ = 0;
  std::vector<Line> workspace_;
  std::vector<std::byte> expected_;
};

std::string describe(const KvCase& c) {
  std::string text = "kind";
  for (const int64_t number : {static_cast<int64_t>(c.kind), c.q_heads, c.kv_heads, c.head_dim,
                               c.block_tokens, c.window, c.rows}) {
    text.append(1, ' ').append(std::to_string(number));
  }
  text += " contexts";
  for (const int64_t context : c.contexts) text.append(1, ' ').append(std::to_string(context));
  return text;
}

void check_all(KvCase c) {
  for (const ProductKind kind : kKinds) {
    c.kind = kind;
    SCOPED_TRACE(describe(c));
    Problem problem(c);
    for (const Variant& variant : variants()) problem.check(variant);
  }
}

TEST(AttentionConformance, DecodeAtEveryBorder) {
  check_all(
      {.q_heads = 4,
       .kv_heads = 2,
       .head_dim = 64,
       .block_tokens = 64,
       .contexts = {1, 2, 31, 32, 33, 63, 64, 65, 127, 255, 256, 257, 288, 511, 512, 513, 700}});
}

TEST(AttentionConformance, LongContextsAreCutIntoRanges) {
  // 5 splits and more: items are ranges of splits, merged by the second pass.
  check_all({.q_heads = 6, .kv_heads = 2, .head_dim = 40, .contexts = {1100, 30, 2100}});
  check_all({.q_heads = 4, .kv_heads = 4, .head_dim = 32, .contexts = {1057}, .rows = 5});
}

TEST(AttentionConformance, FewRowsTakeSeveralHeadsTogether) {
  // Groups that fill one block of rows and two, key heads that fill one run and leave a rest.
  check_all({.q_heads = 21, .kv_heads = 3, .head_dim = 40, .contexts = {1100, 70}});
  check_all(
      {.q_heads = 32, .kv_heads = 2, .head_dim = 128, .block_tokens = 64, .contexts = {530, 33}});
  check_all({.q_heads = 11, .kv_heads = 11, .head_dim = 64, .contexts = {300, 31, 256}, .rows = 2});
}

TEST(AttentionConformance, ManySequencesAreWholeItems) {
  check_all({.q_heads = 5,
             .kv_heads = 5,
             .head_dim = 40,
             .contexts = {1100, 1, 33, 70, 2, 64, 300, 9, 31, 520, 32, 5, 17}});
}

TEST(AttentionConformance, HeadShapes) {
  struct Heads {
    int64_t q, kv, dim;
  };
  for (const Heads h : {Heads{5, 5, 40}, Heads{7, 1, 64}, Heads{9, 3, 80}, Heads{8, 1, 128},
                        Heads{2, 1, 256}, Heads{40, 2, 16}, Heads{1, 1, 8}, Heads{64, 1, 24}}) {
    check_all(
        {.q_heads = h.q, .kv_heads = h.kv, .head_dim = h.dim, .contexts = {90, 270}, .rows = 7});
  }
}

TEST(AttentionConformance, WholePromptsEqualChunks) {
  check_all({.q_heads = 4, .kv_heads = 1, .head_dim = 64, .contexts = {300, 47}, .rows = 300});
  check_all({.q_heads = 2, .kv_heads = 2, .head_dim = 48, .contexts = {290}, .rows = 290});
}

TEST(AttentionConformance, WindowsMaskAndNeverReadDroppedBlocks) {
  for (const int64_t window : {1, 7, 31, 32, 33, 100, 300}) {
    check_all({.q_heads = 3,
               .kv_heads = 1,
               .head_dim = 32,
               .window = window,
               .contexts = {20, 257, 600},
               .rows = 3});
    check_all({.q_heads = 2,
               .kv_heads = 1,
               .head_dim = 32,
               .block_tokens = 64,
               .window = window,
               .contexts = {330},
               .rows = 80});
  }
  check_all(
      {.q_heads = 2, .kv_heads = 1, .head_dim = 32, .window = 1300, .contexts = {2000}, .rows = 2});
}

TEST(AttentionConformance, SharpScoresAndFlushedProducts) {
  // Large: most of P underflows to +0 and merges discard whole splits. Tiny: products and sums are
  // denormal and flushed.
  for (const float magnitude : {12.0f, 1e-19f, 1e-21f}) {
    check_all({.q_heads = 4,
               .kv_heads = 2,
               .head_dim = 40,
               .contexts = {700, 40},
               .rows = 4,
               .magnitude = magnitude});
  }
}

// ---- kv_write ----

uint32_t stored(const std::byte* at, ProductKind kind, int64_t index) {
  uint32_t bits = 0;
  std::memcpy(&bits, at + index * tensor::element_bytes(kind),
              static_cast<size_t>(tensor::element_bytes(kind)));
  return bits;
}

uint32_t converted(float value, ProductKind kind) {
  if (kind == ProductKind::kBf16) return tensor::to_bf16(value).bits;
  return kind == ProductKind::kF16 ? tensor::to_f16(value).bits : std::bit_cast<uint32_t>(value);
}

void check_layout(KvWorld& world) {
  const KvCase& c = world.spec();
  const tensor::KvShape& shape = world.shape();
  const int64_t context = c.contexts[0];
  for (int64_t position = 0; position < tensor::round_up(context, 32); position++) {
    const std::byte* layer = world.base() +
                             world.tables()[0][static_cast<size_t>(position / c.block_tokens)] +
                             shape.layer_bytes();
    const int64_t tile = position % c.block_tokens / 32, token = position % 32;
    for (int64_t head = 0; head < c.kv_heads; head++) {
      for (int64_t d = 0; d < shape.padded_dim(); d++) {
        const bool used = position < context && d < c.head_dim;
        const auto from = static_cast<size_t>((position * c.kv_heads + head) * c.head_dim + d);
        const uint32_t k = stored(layer + shape.k_offset(tile, head), c.kind,
                                  tensor::packed_index(c.kind, token, d, shape.padded_dim()));
        const uint32_t v = stored(layer + shape.v_offset(tile, head), c.kind,
                                  tensor::packed_index(c.kind, d, token, 32));
        ASSERT_EQ(k, used ? converted(world.k()[from], c.kind) : 0)
            << position << " " << head << " " << d;
        ASSERT_EQ(v, used ? converted(world.v()[from], c.kind) : 0)
            << position << " " << head << " " << d;
      }
    }
  }
}

TEST(KvWrite, LayoutAndZerosBehindTheLastToken) {
  for (const ProductKind kind : kKinds) {
    for (const int64_t block_tokens : {32, 64}) {
      KvWorld world({.kind = kind,
                     .kv_heads = 3,
                     .head_dim = 40,
                     .block_tokens = block_tokens,
                     .contexts = {70}});
      write_all(world);
      check_layout(world);
    }
  }
}

TEST(KvWrite, ChunksAndThreadsGiveTheSameBytes) {
  for (const ProductKind kind : kKinds) {
    const KvCase c = {
        .kind = kind, .kv_heads = 2, .head_dim = 48, .block_tokens = 64, .contexts = {200, 33}};
    KvWorld whole(c);
    write_all(whole);
    for (const int64_t chunk : {1, 7, 32, 90}) {
      KvWorld world(c);
      const device::ExecContext context = {nullptr, 0, {}, pool_of(3)};
      std::vector<SequenceView> views;
      for (size_t i = 0; i < c.contexts.size(); i++) {
        for (int64_t at = 0; at < c.contexts[i]; at += chunk) {
          ref_write(kind)(context,
                          world.write_args(i, at, std::min(at + chunk, c.contexts[i]), views));
        }
      }
      const auto bytes = [](KvWorld& w, size_t n) {
        return std::vector<std::byte>(w.base(), w.base() + n);
      };
      const size_t size = static_cast<size_t>(world.block_bytes()) * 6;
      EXPECT_EQ(bytes(world, size), bytes(whole, size)) << "chunk " << chunk;
    }
  }
}

}  // namespace
}  // namespace strata::kernels
