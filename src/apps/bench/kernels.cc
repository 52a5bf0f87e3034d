// Times linear and attention through the kernel table on shapes of a one-billion-parameter model.
// Operands are distinct and together far larger than any cache. bench/ holds finer-grained programs
// for work on one kernel.
#include "apps/bench/kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/probes.h"
#include "base/json.h"
#include "device/cpu_device.h"
#include "engine/machine.h"
#include "kernels/kernel_table.h"

namespace strata::apps {
namespace {

using tensor::ProductKind;

constexpr int64_t kWeightsBytes = int64_t{1} << 30;
constexpr int64_t kPoolBytes = int64_t{1} << 30;
constexpr int64_t kMaxRows = 512;
constexpr int64_t kQueryHeads = 32, kKvHeads = 8, kHeadDim = 64;
constexpr tensor::KvShape kShape{ProductKind::kBf16, kKvHeads, kHeadDim, 32};

struct Figure {
  std::string op;
  std::string isa;
  double seconds = 0;  // of one call, median
  double ops = 0;
  double bytes = 0;
  double ops_share = 0;
  double bytes_share = 0;
};

class KernelBench {
 public:
  static Result<std::unique_ptr<KernelBench>> create(Env& env, const BenchKernelsArgs& args) {
    const engine::MachineFacts facts = engine::look_at_machine(env);
    auto bench = std::make_unique<KernelBench>(env, args);
    const kernels::Isa isa =
        args.isa == "auto" ? facts.isas.back() : TRY(kernels::parse_isa(args.isa));
    bench->table_ = TRY(kernels::make_cpu_kernel_table(isa));
    bench->pool_ = TRY(ComputePool::create(args.threads > 0 ? args.threads : facts.cores));
    bench->weights_ = TRY(bench->device_.allocate(kWeightsBytes));
    bench->kv_ = TRY(bench->device_.allocate(kPoolBytes));
    bench->x_ = TRY(bench->device_.allocate(64 << 20));
    bench->out_ = TRY(bench->device_.allocate(64 << 20));
    const kernels::WorkspaceLimits limits{.rows = kMaxRows,
                                          .k = 8192,
                                          .q_heads = kQueryHeads,
                                          .head_dim = kHeadDim,
                                          .context = 8192,
                                          .sequences = 64,
                                          .threads = bench->pool_->threads()};
    bench->workspace_ = TRY(bench->device_.allocate(kernels::workspace_bytes(limits)));
    for (const auto* buffer : {&bench->weights_, &bench->kv_, &bench->x_})
      fill_pairs(*bench->pool_, buffer->span());
    bench->probe_.emplace(
        TRY(PeakProbe::create(bench->device_, *bench->pool_, kWeightsBytes, isa)));
    return bench;
  }
  KernelBench(Env& env, const BenchKernelsArgs& args) : env_(env), args_(args) {}

  std::vector<Figure> run() {
    for (const int64_t rows : {1, 4, 16, 64, 512}) {
      linear(rows, 2048, 8192);
      linear(rows, 8192, 2048);
    }
    for (const int64_t sequences : {1, 16}) {
      for (const int64_t keys : {512, 4096}) attention(sequences, 1, keys);
    }
    attention(1, 512, 512);
    attention(1, 512, 2048);
    return std::move(figures_);
  }

 private:
  // Median over the repeats of a call's time and of its shares of the peaks probed before and after
  // it.
  void measure(Figure figure, const std::function<void()>& call) {
    std::vector<double> seconds, ops_shares, bytes_shares;
    MachinePeaks before = probe_->measure(1);
    const SpinScope spin(*pool_);
    call();
    for (int repeat = 0; repeat < args_.repeats; repeat++) {
      int64_t calls = 0, now = 0;
      const int64_t start = env_.now_ns();
      for (; now < 200'000'000; calls++) {  // long enough that one interrupt does not show
        call();
        now = env_.now_ns() - start;
      }
      const MachinePeaks after = probe_->measure(1);
      seconds.push_back(double(now) * 1e-9 / double(calls));
      ops_shares.push_back(figure.ops / seconds.back() * 2 /
                           (before.product_ops_per_s + after.product_ops_per_s));
      bytes_shares.push_back(figure.bytes / seconds.back() * 2 /
                             (before.read_bytes_per_s + after.read_bytes_per_s));
      before = after;
    }
    figure.seconds = median(seconds);
    figure.ops_share = median(ops_shares);
    figure.bytes_share = median(bytes_shares);
    figures_.push_back(std::move(figure));
  }

  static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }

  kernels::SequenceView view(int64_t row, int64_t rows, int64_t keys, const int64_t* blocks) const {
    return {.first_row = row, .rows = rows, .first_position = keys - rows, .blocks = blocks};
  }

  device::ExecContext context() {
    return {.device = &device_, .stream = 0, .workspace = workspace_.span(), .pool = pool_.get()};
  }

  void linear(int64_t rows, int64_t k, int64_t n) {
    const int64_t bytes = tensor::packed_elements(n, k) * 2;
    const auto& slot = table_.linear[static_cast<size_t>(ProductKind::kBf16)];
    int64_t next = 0;
    const Figure figure{.op = fmt::format("linear {} x {} x {}", rows, k, n),
                        .isa = std::string(kernels::isa_name(slot.isa)),
                        .ops = 2.0 * double(rows) * double(k) * double(n),
                        .bytes = double(bytes)};
    measure(figure, [&] {
      const kernels::LinearPart part{
          .w = {weights_.data() + next++ % (kWeightsBytes / bytes) * bytes, ProductKind::kBf16, n,
                k},
          .out = reinterpret_cast<float*>(out_.data()),
          .out_stride = n};
      slot(context(), {.x = x_.data(), .x_stride = k, .m = rows, .parts = {&part, 1}});
    });
  }

  // `rows` query tokens at the end of `keys` tokens, one layer after another of a pool of 16
  // layers.
  void attention(int64_t sequences, int64_t rows, int64_t keys) {
    constexpr int64_t kLayers = 16, kBlockBytes = kLayers * kShape.layer_bytes();
    const int64_t blocks_each = keys / kShape.block_tokens;
    std::vector<int64_t> blocks(static_cast<size_t>(sequences * blocks_each));
    // A stride that is odd scatters the blocks over the pool without repeating one.
    for (size_t i = 0; i < blocks.size(); i++)
      blocks[i] = static_cast<int64_t>(i * 617 % (kPoolBytes / kBlockBytes)) * kBlockBytes;
    std::vector<kernels::SequenceView> views;
    for (int64_t s = 0; s < sequences; s++)
      views.push_back(view(s * rows, rows, keys, blocks.data() + s * blocks_each));
    const auto& slot = table_.attention[static_cast<size_t>(ProductKind::kBf16)];
    int64_t layer = 0;
    const double pairs = double(sequences) *
                         (double(rows) * double(keys - rows) + double(rows) * double(rows + 1) / 2);
    const int64_t blocks_read = sequences * keys / kShape.block_tokens;
    const Figure figure{.op = fmt::format("attention {} x {} rows, {} keys", sequences, rows, keys),
                        .isa = std::string(kernels::isa_name(slot.isa)),
                        .ops = 4.0 * double(kQueryHeads * kHeadDim) * pairs,
                        .bytes = double(blocks_read * kShape.layer_bytes())};
    measure(figure, [&] {
      const kernels::KvLayer kv{kShape, kv_.data(), layer++ % kLayers * kShape.layer_bytes()};
      slot(context(), {.kv = kv,
                       .q_heads = kQueryHeads,
                       .q = x_.data(),
                       .out = out_.data(),
                       .out_stride = kQueryHeads * kHeadDim,
                       .scale = 0.125f,
                       .window = 0,
                       .sequences = views});
    });
  }

  Env& env_;
  const BenchKernelsArgs& args_;
  device::CpuDevice device_;
  std::unique_ptr<ComputePool> pool_;
  kernels::KernelTable table_;
  device::Buffer weights_, kv_, x_, out_, workspace_;
  std::optional<PeakProbe> probe_;
  std::vector<Figure> figures_;
};

Json to_json(const std::vector<Figure>& figures) {
  Json rows = Json::array();
  for (const Figure& figure : figures) {
    rows.push_back({{"op", figure.op},
                    {"isa", figure.isa},
                    {"seconds", figure.seconds},
                    {"ops_per_s", figure.ops / figure.seconds},
                    {"ops_share", figure.ops_share},
                    {"bytes_per_s", figure.bytes / figure.seconds},
                    {"bytes_share", figure.bytes_share}});
  }
  return rows;
}

}  // namespace

Result<void> run_bench_kernels(Env& env, const BenchKernelsArgs& args) {
  const auto bench = TRY(KernelBench::create(env, args));
  fmt::print(stderr, "measuring 16 ops with the peaks between them, about a minute ...\n");
  const std::vector<Figure> figures = bench->run();
  if (args.json) {
    fmt::print("{}\n", to_json(figures).dump(2));
    return {};
  }
  fmt::print("{:<34}{:>8}{:>11}{:>9}{:>8}{:>10}\n", "op (bf16)", "kernels", "GFLOP/s", "of peak",
             "GB/s", "of reads");
  for (const Figure& figure : figures) {
    fmt::print("{:<34}{:>8}{:>11.1f}{:>8.1f}%{:>8.2f}{:>9.1f}%\n", figure.op, figure.isa,
               figure.ops / figure.seconds / 1e9, 100 * figure.ops_share,
               figure.bytes / figure.seconds / 1e9, 100 * figure.bytes_share);
  }
  return {};
}

}  // namespace strata::apps
