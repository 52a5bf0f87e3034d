// The door from many threads at once: what is submitted ends once, whatever is cancelled beside it,
// and what does not fit is refused at once.
#include "server/engine_door.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/test_running.h"
#include "server/test_door.h"

namespace strata::server {
namespace {

using namespace std::chrono_literals;
using engine::testing::prompt;
using testing::Asked;

frontend::ApiRequest asked(uint32_t seed, int64_t max_tokens, bool stream) {
  frontend::ApiRequest request{.kind = frontend::ApiKind::kCompletion,
                               .prompts = {prompt(9, seed)}};
  request.ask.max_tokens = max_tokens;
  request.ask.ignore_eos = true;
  request.ask.params.temperature = 0;
  request.stream.wanted = stream;
  return request;
}

class EngineDoorTest : public testing::DoorTest {
 protected:
  explicit EngineDoorTest(const engine::EngineConfig& config = {.threads = 1}) : DoorTest(config) {}
  engine::EngineStats stats() {
    std::atomic<bool> answered = false;
    engine::EngineStats made;
    door_.ask([&](const engine::EngineStats& stats) {
      made = stats;
      answered = true;
      answered.notify_all();
    });
    answered.wait(false);
    return made;
  }
};

class SmallDoorTest : public EngineDoorTest {
 protected:
  SmallDoorTest() : EngineDoorTest({.threads = 1, .max_num_seqs = 1, .max_queued_requests = 2}) {}
};

TEST_F(EngineDoorTest, AnswersThreadsAsTheEngineAloneDoes) {
  std::vector<engine::GenerateRequest> requests;
  for (uint32_t i = 0; i < 8; i++) requests.push_back(engine::testing::plain(9, 12, i));
  const auto expected = engine::testing::each_alone(requests);
  run();
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 8; i++) {
    threads.emplace_back([&, i] {
      Asked streamed(asked(i, 12, true)), whole(asked(i, 12, false)), gone(asked(i, 200, true));
      EXPECT_TRUE(door_.submit(gone.generation));
      EXPECT_TRUE(door_.submit(streamed.generation));
      EXPECT_TRUE(door_.submit(whole.generation));
      door_.cancel(gone.generation);
      streamed.wait();
      whole.wait();
      gone.wait();
      EXPECT_EQ(streamed.ids, expected[i].ids);
      const auto body = whole.generation->body({.id = "x", .model = "m", .created_s = 1},
                                               frontend::response_body);
      EXPECT_EQ((*body)["usage"]["completion_tokens"], 12);
      EXPECT_TRUE(gone.error && gone.error->code == Code::kCancelled);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const engine::EngineStats after = stats();
  EXPECT_EQ(after.running, 0);
  for (const auto& group : after.groups) EXPECT_EQ(group.used_blocks, 0);
}

TEST_F(SmallDoorTest, RefusesWhatCannotWaitAndTakesItLater) {
  Asked first(asked(1, 4, false)), second(asked(2, 4, false)), third(asked(3, 4, false));
  EXPECT_TRUE(door_.submit(first.generation));
  EXPECT_TRUE(door_.submit(second.generation));
  const auto refused = door_.submit(third.generation);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kBusy);
  frontend::ApiRequest many = asked(4, 4, false);
  many.prompts.resize(3, many.prompts.front());
  Asked never(std::move(many));
  EXPECT_TRUE(door_.submit(never.generation));
  run();
  never.wait();
  EXPECT_TRUE(never.error && never.error->code == Code::kResourceLimit);
  first.wait();
  second.wait();
  EXPECT_TRUE(door_.submit(third.generation));
  third.wait();
  EXPECT_FALSE(third.error);
}

class OnePlaceDoorTest : public EngineDoorTest {
 protected:
  OnePlaceDoorTest()
      : EngineDoorTest({.threads = 1, .max_num_seqs = 1, .max_queued_requests = 1}) {}
};

// Whoever asks one question after the other is never told to come later.
TEST_F(OnePlaceDoorTest, HasRoomAgainOnceAnAnswerIsHeard) {
  for (const bool stream : {false, true}) {
    Asked second(asked(2, 1, stream));
    std::atomic<bool> heard = false;
    std::optional<Result<void>> again;
    std::shared_ptr<Generation> first;
    first = std::make_shared<Generation>(asked(1, 1, stream), [&] {
      if (!first->take().done) return;
      again = door_.submit(second.generation);
      heard = true;
      heard.notify_all();
    });
    EXPECT_TRUE(door_.submit(first));
    if (!loop_.joinable()) run();
    heard.wait(false);
    ASSERT_TRUE(again && *again) << again->error().message();
    second.wait();
  }
}

TEST_F(EngineDoorTest, EndsWhatRunsOnceItIsClosed) {
  run();
  Asked short_one(asked(1, 6, true)), late(asked(2, 6, true));
  EXPECT_TRUE(door_.submit(short_one.generation));
  door_.close(1h);
  short_one.wait();
  EXPECT_FALSE(short_one.error);
  EXPECT_EQ(short_one.ids.size(), 6u);
  const auto refused = door_.submit(late.generation);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  loop_.join();
}

TEST_F(EngineDoorTest, CancelsWhatRunsAtTheDeadline) {
  Asked endless(asked(1, 240, true)), cancelled(asked(2, 240, true));
  EXPECT_TRUE(door_.submit(endless.generation));
  EXPECT_TRUE(door_.submit(cancelled.generation));
  door_.cancel(cancelled.generation);
  door_.close(0ms);
  run();
  endless.wait();
  cancelled.wait();
  EXPECT_TRUE(endless.error && endless.error->code == Code::kCancelled);
  EXPECT_TRUE(cancelled.error && cancelled.error->code == Code::kCancelled);
  loop_.join();
}

// Whoever hears the news holds the engine's thread up.
TEST_F(EngineDoorTest, SaysSinceWhenItsThreadHangs) {
  EXPECT_EQ(door_.silent_for(), 0ns);
  std::atomic<bool> hangs = true, hung = false;
  const auto generation = std::make_shared<Generation>(asked(1, 4, true), [&] {
    hung = true;
    hangs.wait(true);
  });
  door_.set_stall_limit(20ms);
  EXPECT_TRUE(door_.submit(generation));
  run();
  while (!door_.stalled()) std::this_thread::yield();
  EXPECT_TRUE(hung);
  EXPECT_GT(door_.silent_for(), 20ms);
  hangs = false;
  hangs.notify_all();
  while (!generation->take().done) std::this_thread::yield();
  while (door_.silent_for() != 0ns) std::this_thread::yield();
  EXPECT_FALSE(door_.stalled());
}

TEST_F(EngineDoorTest, AnswersQuestionsWhileItSleeps) {
  run();
  EXPECT_EQ(stats().running, 0);
  const auto live = running_.engine().live().ask(1h);
  EXPECT_TRUE(live && live->contains("\"running\": 0"));
}

}  // namespace
}  // namespace strata::server
