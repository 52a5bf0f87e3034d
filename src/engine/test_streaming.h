// An engine whose weights stay on the disk as a test wants it, whatever would fit. For the engine's
// tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/test_running.h"

namespace strata::engine::testing {

class Streaming {
 public:
  struct Plan {
    bool all_resident = false;
    std::vector<bool> resident = {};  // empty: only what must be
    int64_t ring_bytes = 2 << 20;
    IoKind io = IoKind::kAuto;
    int threads = 2;
    int64_t max_num_seqs = 4;
    bool prefix_caching = true;
  };

  Streaming(Env& env, std::unique_ptr<OpenedModel> opened, const Plan& plan)
      : opened_(std::move(opened)) {
    EngineConfig config{
        .threads = plan.threads,
        .prefill_chunk = 24,
        .max_num_seqs = plan.max_num_seqs,
        .weights_on = plan.all_resident ? placement::WeightsOn::kRam : placement::WeightsOn::kDisk,
        .io = plan.io,
        .prefix_caching = plan.prefix_caching};
    auto resolved = resolve(config, small_machine(), opened_->spec(), opened_->plan());
    EXPECT_TRUE(resolved) << resolved.error().message();
    EXPECT_NE(resolved->placement.streams(), plan.all_resident);
    if (!plan.resident.empty()) resolved->placement.resident = plan.resident;
    if (!plan.all_resident) resolved->placement.ring_bytes = plan.ring_bytes;
    auto engine = Engine::create(env, *opened_, *resolved, {.threads = 1, .progress = {}});
    EXPECT_TRUE(engine) << engine.error().message();
    engine_ = std::move(*engine);
  }

  Engine& engine() { return *engine_; }
  size_t units() const { return opened_->plan().cut.units.size(); }

  void add(GenerateRequest request, Outcome& outcome) {
    request.on_logits = [&outcome](int64_t, std::span<const float> rows) {
      outcome.logits.insert(outcome.logits.end(), rows.begin(), rows.end());
    };
    const auto id = engine_->submit(std::move(request), [&outcome](const Update& update) {
      if (update.token) outcome.ids.push_back(*update.token);
      outcome.endings += (update.finished || update.error) ? 1 : 0;
      if (update.finished) outcome.finished = update.finished;
      if (update.error) outcome.error = update.error;
    });
    EXPECT_TRUE(id);
  }
  void finish() {
    for (int step = 0; engine_->step(); step++) ASSERT_LT(step, 5000) << "some request never ends";
  }

 private:
  std::unique_ptr<OpenedModel> opened_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace strata::engine::testing
