// Sleeps and what ends them, on an io_context that the test itself runs.
#include "server/wake/signal.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <thread>
#include <vector>

namespace strata::server {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Sleeper {
  std::shared_ptr<Signal> signal;
  int sleeps = 0;  // that have ended
  int raised = 0;  // of them, those of a notification
};

asio::awaitable<void> sleep_for(Sleeper& sleeper, std::vector<std::chrono::milliseconds> limits) {
  for (const auto limit : limits) {
    if (!sleeper.signal->raised()) co_await sleeper.signal->sleep(limit);
    sleeper.sleeps++;
    sleeper.raised += sleeper.signal->take();
  }
}

class SignalTest : public ::testing::Test {
 protected:
  void start(Sleeper& sleeper, std::vector<std::chrono::milliseconds> limits) {
    const asio::any_io_executor strand = asio::make_strand(io_);
    sleeper.signal = std::make_shared<Signal>(strand);
    asio::co_spawn(strand, sleep_for(sleeper, std::move(limits)), asio::detached);
    io_.poll();
  }

  asio::io_context io_;
};

TEST_F(SignalTest, OneHandlerWakesManyInOrder) {
  std::vector<Sleeper> sleepers(40);
  for (Sleeper& sleeper : sleepers) start(sleeper, {1h});
  for (Sleeper& sleeper : sleepers) {
    sleeper.signal->notify();
    sleeper.signal->notify();  // no more than one
  }
  const size_t woken[] = {16, 32, 40};
  for (const size_t so_far : woken) {
    EXPECT_EQ(io_.poll_one(), 1U);
    for (size_t i = 0; i < sleepers.size(); i++) EXPECT_EQ(sleepers[i].raised, i < so_far) << i;
  }
  io_.poll();
  for (const Sleeper& sleeper : sleepers) EXPECT_EQ(sleeper.sleeps, 1);
}

TEST_F(SignalTest, WakesFromAllThreads) {
  constexpr int kThreads = 4, kEach = 500;
  std::vector<Sleeper> sleepers(8);
  for (Sleeper& sleeper : sleepers)
    start(sleeper, std::vector<std::chrono::milliseconds>(kThreads * kEach, 1h));
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; i++) threads.emplace_back([this] { io_.run(); });
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; j++) {
        for (Sleeper& sleeper : sleepers) sleeper.signal->notify();
      }
    });
  }
  for (size_t i = 2; i < threads.size(); i++) threads[i].join();
  io_.stop();
  for (size_t i = 0; i < 2; i++) threads[i].join();
  io_.restart();
  io_.poll();
  for (Sleeper& sleeper : sleepers) {
    EXPECT_EQ(sleeper.raised, sleeper.sleeps);
    EXPECT_GE(sleeper.raised, 1);
    while (sleeper.sleeps < kThreads * kEach) {  // the rest, one by one
      sleeper.signal->notify();
      io_.poll();
    }
    EXPECT_EQ(sleeper.raised, sleeper.sleeps);
  }
}

TEST_F(SignalTest, ANotificationThatCameBeforeIsNotLost) {
  Sleeper sleeper;
  const asio::any_io_executor strand = asio::make_strand(io_);
  sleeper.signal = std::make_shared<Signal>(strand);
  sleeper.signal->notify();
  io_.poll();
  io_.restart();
  asio::co_spawn(strand, sleep_for(sleeper, {1h}), asio::detached);
  io_.poll();
  EXPECT_EQ(sleeper.raised, 1);
}

// The timer of the first sleep is still set, for later or for earlier than the second one ends.
TEST_F(SignalTest, EndsAtTheLimitOfTheSleepUnderWay) {
  for (const auto before : {std::chrono::milliseconds(1h), 1ms}) {
    Sleeper sleeper;
    start(sleeper, {before, 20ms});
    sleeper.signal->notify();
    io_.poll_one();
    ASSERT_EQ(sleeper.raised, 1);
    const Clock::time_point began = Clock::now();
    while (sleeper.sleeps < 2) io_.run_one();
    io_.restart();
    EXPECT_EQ(sleeper.raised, 1);
    EXPECT_GE(Clock::now() - began, 19ms);
  }
}

TEST(SignalEnd, AnIoContextThatEndsDestroysSleepers) {
  const auto held = std::make_shared<int>(0);
  {
    asio::io_context io;
    const asio::any_io_executor strand = asio::make_strand(io);
    const auto sleep = [](std::shared_ptr<Signal> signal, std::shared_ptr<int>,
                          bool twice) -> asio::awaitable<void> {
      if (twice) co_await signal->sleep(1ms);
      co_await signal->sleep(1h);
    };
    asio::co_spawn(strand, sleep(std::make_shared<Signal>(strand), held, false), asio::detached);
    asio::co_spawn(strand, sleep(std::make_shared<Signal>(strand), held, true), asio::detached);
    io.poll();
    io.run_one();
    EXPECT_GT(held.use_count(), 1);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(SignalTest, AWakeEndsTheSleepThatItWasMeantFor) {
  Sleeper sleeper;
  start(sleeper, {1h, 1h});
  sleeper.signal->wake();
  sleeper.signal->wake();
  io_.poll();
  EXPECT_EQ(sleeper.sleeps, 1);
  EXPECT_EQ(sleeper.raised, 0);
  sleeper.signal->notify();
  io_.poll();
  EXPECT_EQ(sleeper.sleeps, 2);
  EXPECT_EQ(sleeper.raised, 1);
}

}  // namespace
}  // namespace strata::server
