// Parts of layers lie one behind the other in one buffer, around and around: a pass reads them as
// it would read real ones, out of memory where they are larger than the caches.
#include "placement/compute_probe.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "kernels/probe.h"
#include "model/forward.h"
#include "model/relay.h"

namespace strata::placement {
namespace {

using model::UnitKind;

constexpr int64_t kContext = 64;          // positions of the probe's sequences
constexpr int64_t kPosition = 31;         // of each row: a first block of keys is full
constexpr int64_t kLeastBytes = 4 << 20;  // memory is read in pieces of 1 MiB
constexpr int64_t kEnoughNs = 150'000'000;
constexpr int kLeastRuns = 3;
constexpr int64_t kRunBytes =
    256 << 10;  // that a thread re-lays at a time, as in model/folder_source

bool in_layers(const model::WeightUnit& unit, int64_t layers) {
  return unit.layer >= 0 && unit.layer < layers;
}

int64_t bytes_of_layers(const model::WeightPlan& plan, int64_t layers) {
  int64_t bytes = 0;
  for (const model::WeightUnit& unit : plan.cut.units) {
    bytes += in_layers(unit, layers) ? unit.padded_bytes : 0;
  }
  return bytes;
}

bool is_folder(const model::WeightPlan& plan) { return plan.items.front().entry != nullptr; }

const model::WeightUnit& largest_unit(const model::WeightPlan& plan) {
  return *std::ranges::max_element(plan.cut.units, {}, [](const model::WeightUnit& unit) {
    return unit.layer >= 0 ? unit.padded_bytes : 0;
  });
}

// Weights that were stored wider than they are computed with are longer in their file.
int64_t bytes_to_hold(const model::WeightPlan& plan, int64_t layers) {
  const model::WeightUnit& largest = largest_unit(plan);
  int64_t bytes = std::max(
      {kLeastBytes, std::min(kProbeBytes, bytes_of_layers(plan, layers)), largest.padded_bytes});
  if (!is_folder(plan)) return bytes;
  for (const model::RowRun& run : model::cut_runs(plan, largest, kRunBytes)) {
    bytes = std::max(bytes, 2 * static_cast<int64_t>(run.source_bytes()));
  }
  return bytes;
}

// A quarter of the bits are ones, so that all three planes have one at 1.6 % of the places; every
// line begins as a panel does, with the highest exponent.
uint32_t coded_word(uint64_t state, int64_t at) {
  const auto word = static_cast<uint32_t>(state >> 32) & static_cast<uint32_t>(state >> 17);
  return at % 64 == 0 ? (word & 0xffff0000u) | 122 : word;
}

// Numbers of either sign about 0.01 as bf16 and f32, about 1 as f16: on zeros a core clocks higher
// than it ever does on data.
// Of coded weights one in sixty-four is an escape, all have exponents about that of 0.01.
void fill(ComputePool& pool, std::span<std::byte> memory, bool coded) {
  constexpr int64_t kPiece = 64 << 10;
  const auto bytes = static_cast<int64_t>(memory.size());
  pool.run((bytes + kPiece - 1) / kPiece, [&](int64_t piece, int) {
    uint64_t state = static_cast<uint64_t>(piece) * 0x9e3779b97f4a7c15ull + 88172645463325252ull;
    for (int64_t at = piece * kPiece; at + 4 <= std::min((piece + 1) * kPiece, bytes); at += 4) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      uint32_t word = (static_cast<uint32_t>(state >> 32) & 0x807f807fu) | 0x3c003c00u;
      if (coded) word = coded_word(state, at);
      std::memcpy(memory.data() + at, &word, sizeof word);
    }
  });
}

// Seconds of the fastest run: others were disturbed, and the price is kept for later.
double time_of(Env& env, const std::function<void()>& run) {
  run();
  int64_t least = INT64_MAX, spent = 0;
  for (int runs = 0; spent < kEnoughNs || runs < kLeastRuns; runs++) {
    const int64_t start = env.now_ns();
    run();
    const int64_t took = std::max<int64_t>(env.now_ns() - start, 1);
    least = std::min(least, took);
    spent += std::max<int64_t>(took, 1000);
  }
  return static_cast<double>(least) * 1e-9;
}

// Rows as decoding sequences of one row each, with a block of their own in every KV group.
class Rows {
 public:
  Rows(const model::KvLayout& layout, int64_t count)
      : ids_(static_cast<size_t>(count), 0), positions_(static_cast<size_t>(count), kPosition) {
    for (const model::KvGroupSpec& group : layout.groups) {
      std::vector<kernels::SequenceView> views;
      for (int64_t row = 0; row < count; row++) {
        blocks_.push_back({pool_bytes_, pool_bytes_});
        pool_bytes_ += group.block_bytes();
        views.push_back({.first_row = row,
                         .rows = 1,
                         .first_position = kPosition,
                         .blocks = blocks_.back().data()});
      }
      views_.push_back(std::move(views));
    }
    for (const auto& views : views_) groups_.emplace_back(views);
  }
  int64_t pool_bytes() const { return pool_bytes_; }
  model::ForwardBatch batch(int64_t rows, std::byte* pool) {
    const auto count = static_cast<size_t>(rows);
    for (size_t g = 0; g < groups_.size(); g++) groups_[g] = std::span(views_[g]).first(count);
    return {.ids = std::span(ids_).first(count),
            .positions = std::span(positions_).first(count),
            .groups = groups_,
            .logit_rows = {},
            .kv = {pool}};
  }

 private:
  std::vector<int32_t> ids_, positions_;
  std::deque<std::array<int64_t, kContext / 32>> blocks_;  // stay where they are
  std::vector<std::vector<kernels::SequenceView>> views_;
  std::vector<std::span<const kernels::SequenceView>> groups_;
  int64_t pool_bytes_ = 0;
};

// The first layers of a model over made-up weights.
class MadeUpLayers {
 public:
  static Result<MadeUpLayers> create(const ComputeProbeArgs& args) {
    MadeUpLayers made(args);
    made.weights_.memory = TRY(args.device.allocate(bytes_to_hold(args.plan, made.layers_)));
    fill(args.pool, made.weights_.memory.span(), model::is_coded(args.plan));
    made.bind();
    made.limits_.max_rows = made.limits_.max_sequences = std::ranges::max(kProbeRows);
    return made;
  }

  // Prices of reading memory, re-laying and computing, in this order: computing takes the weights.
  Result<CostTable> measure() {
    CostTable costs;
    {
      const SpinScope spin(args_.pool);
      costs.ram_bytes_per_s = kernels::read_bandwidth(args_.pool, weights_.memory.span(), 3);
    }
    if (is_folder(args_.plan)) costs.relay_bytes_per_s = TRY(relay_speed());
    TRY(compute(costs.compute));
    return costs;
  }

 private:
  explicit MadeUpLayers(const ComputeProbeArgs& args)
      : args_(args), layers_(probed_layers(args.plan)), spec_(args.spec) {
    spec_.layers.resize(static_cast<size_t>(layers_));
    weights_.kind = args.plan.kind;
    weights_.layers.resize(static_cast<size_t>(layers_));
    limits_.max_model_len = kContext;
  }

  void bind() {
    const std::byte* const base = weights_.memory.data();
    weights_.embedding = {base, args_.plan.kind, args_.spec.vocab, args_.spec.hidden};
    int64_t offset = 0;
    for (const model::WeightUnit& unit : args_.plan.cut.units) {
      if (!in_layers(unit, layers_)) continue;
      if (offset + unit.padded_bytes > weights_.memory.bytes()) offset = 0;
      model::bind_unit(weights_, args_.plan, unit, base + offset);
      offset += unit.padded_bytes;
    }
  }

  Result<double> relay_speed() {
    const model::WeightUnit& unit = largest_unit(args_.plan);
    const device::Buffer to = TRY(args_.device.allocate(unit.padded_bytes));
    const auto source_bytes = static_cast<uint64_t>(weights_.memory.bytes());
    const auto runs = model::cut_runs(args_.plan, unit, kRunBytes);
    bool laid = true;
    const SpinScope spin(args_.pool);
    const double seconds = time_of(args_.env, [&] {
      args_.pool.run(static_cast<int64_t>(runs.size()), [&](int64_t i, int) {
        const model::RowRun& run = runs[static_cast<size_t>(i)];
        const uint64_t from = run.source_offset() % (source_bytes - run.source_bytes());
        const std::byte* source = weights_.memory.data() + from / 64 * 64;
        if (!model::lay_rows(run, args_.plan.kind, source, to.data() + run.offset,
                             args_.table.pack)) {
          laid = false;
        }
      });
    });
    if (!laid) return fail(Code::kUnsupported, "measuring how fast weights are re-laid");
    return static_cast<double>(unit.bytes) / seconds;
  }

  Result<void> compute(std::vector<ComputePrice>& prices) {
    auto model = TRY(model::Model::create(args_.device, spec_, std::move(weights_), args_.table,
                                          args_.pool, limits_));
    Rows rows(model.kv_layout(), limits_.max_rows);
    const auto kv = TRY(args_.device.allocate(rows.pool_bytes()));
    auto workspace = TRY(args_.device.allocate(model.memory(args_.pool.threads()).workspace));
    const device::ExecContext context{
        .device = &args_.device, .stream = 0, .workspace = workspace.span(), .pool = &args_.pool};
    const SpinScope spin(args_.pool);
    const auto bytes = static_cast<double>(bytes_of_layers(args_.plan, layers_));
    for (const int64_t count : kProbeRows) {
      Result<void> computed;
      const double seconds = time_of(args_.env, [&] {
        if (computed) computed = model.forward(context, rows.batch(count, kv.data()), nullptr);
      });
      TRY(std::move(computed));
      prices.push_back({count, seconds / bytes});
    }
    return {};
  }

  const ComputeProbeArgs& args_;
  int64_t layers_ = 0;
  model::ModelSpec spec_;
  model::Weights weights_;
  model::ModelLimits limits_;
};

}  // namespace

int64_t probed_layers(const model::WeightPlan& plan) {
  int64_t all = 0;
  for (const model::WeightUnit& unit : plan.cut.units) {
    all = std::max<int64_t>(all, unit.layer + 1);
  }
  int64_t layers = 1;
  while (layers < all && bytes_of_layers(plan, layers + 1) <= kProbeBytes) layers++;
  return layers;
}

Result<CostTable> probe_compute(const ComputeProbeArgs& args) {
  auto layers = TRY(MadeUpLayers::create(args));
  return layers.measure();
}

}  // namespace strata::placement
