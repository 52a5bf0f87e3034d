// The pool runs every item exactly once, whatever its size, inside and outside steps.
#include "base/compute_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <vector>

namespace strata {
namespace {

void expect_each_once(ComputePool& pool, int64_t items) {
  std::vector<std::atomic<int>> counts(static_cast<size_t>(items));
  pool.run(items, [&](int64_t item, int thread) {
    ASSERT_LT(thread, pool.threads());
    counts[static_cast<size_t>(item)]++;
  });
  for (const auto& count : counts) ASSERT_EQ(count.load(), 1);
}

TEST(ComputePool, RunsEveryItemOnceAtAnyThreadCount) {
  for (const int threads : {1, 2, 3, 8}) {
    auto pool = ComputePool::create(threads);
    ASSERT_TRUE(pool);
    for (const int64_t items : {0, 1, 2, 7, 1000}) expect_each_once(**pool, items);
  }
}

TEST(ComputePool, ManyShortRunsInsideAndBetweenSteps) {
  auto pool = ComputePool::create(2);
  ASSERT_TRUE(pool);
  for (int step = 0; step < 20; step++) {
    const SpinScope spin(**pool);
    for (int i = 0; i < 100; i++) expect_each_once(**pool, 1 + i % 5);
  }
}

cpu_set_t cores_of_this_thread() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  return set;
}

// Before any test could change them.
const cpu_set_t kCoresAtStart = cores_of_this_thread();

// A thread started by whoever owns a pool may run anywhere that its owner could, during the pool's
// life and after it.
TEST(ComputePool, LeavesTheCallersCoresAlone) {
  const cpu_set_t before = kCoresAtStart;
  {
    auto pool = ComputePool::create(std::min(2, CPU_COUNT(&before)));
    ASSERT_TRUE(pool);
    {
      const SpinScope spin(**pool);
    }
    const cpu_set_t during = cores_of_this_thread();
    EXPECT_TRUE(CPU_EQUAL(&before, &during));
  }
  const cpu_set_t after = cores_of_this_thread();
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(ComputePool, RefusesSenselessThreadCounts) {
  for (const int threads : {0, -1, 5000}) {
    const auto pool = ComputePool::create(threads);
    ASSERT_FALSE(pool);
    EXPECT_EQ(pool.error().code, Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace strata
