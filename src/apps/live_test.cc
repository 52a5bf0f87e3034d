// Both sides in one process, and every wrong process.
#include "apps/live.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

namespace strata::apps {
namespace {

namespace fs = std::filesystem;

class LiveTest : public testing::Test {
 protected:
  LiveTest() {
    std::string name = (fs::temp_directory_path() / "strata_live_XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    ::setenv("XDG_RUNTIME_DIR", name.c_str(), 1);
  }
  ~LiveTest() override {
    ::unsetenv("XDG_RUNTIME_DIR");
    fs::remove_all(folder_);
  }

  fs::path socket() const { return folder_ / "strata" / (std::to_string(::getpid()) + ".sock"); }
  static std::string own_id() { return std::to_string(::getpid()); }
  Result<std::string> ask(const std::string& pid) { return ask_process(real_env(), pid); }

  fs::path folder_;
  engine::LiveStats live_;
};

TEST_F(LiveTest, AnswersWithWhatTheLoopSays) {
  const auto door = LiveDoor::open(real_env(), live_);
  ASSERT_TRUE(door) << door.error().message();
  std::atomic<bool> ended = false;
  std::thread loop([&] {
    for (int step = 0; !ended; step++) {
      if (live_.wanted()) live_.answer("step " + std::to_string(step));
      std::this_thread::yield();
    }
  });
  const auto first = ask(own_id()), second = ask(own_id());
  ended = true;
  loop.join();
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->starts_with("step ")) << *first;
  EXPECT_NE(*first, *second);
  EXPECT_FALSE(live_.wanted());
}

TEST_F(LiveTest, HandsAWishForACeilingOver) {
  const auto door = LiveDoor::open(real_env(), live_);
  ASSERT_TRUE(door) << door.error().message();
  std::atomic<bool> ended = false;
  std::thread loop([&] {
    while (!ended) {
      if (live_.wanted()) live_.answer(std::to_string(live_.memory_wanted().value_or(-1)));
      std::this_thread::yield();
    }
  });
  const auto wish = ask_process(real_env(), own_id(), 123456789), stats = ask(own_id());
  ended = true;
  loop.join();
  ASSERT_TRUE(wish && stats);
  EXPECT_EQ(*wish, "123456789");
  EXPECT_EQ(*stats, "-1");
}

TEST_F(LiveTest, LeavesNoSocketAndLetsNobodyElseIn) {
  {
    const auto door = LiveDoor::open(real_env(), live_);
    ASSERT_TRUE(door) << door.error().message();
    EXPECT_TRUE(fs::exists(socket()));
    struct stat found = {};
    ASSERT_EQ(::stat((folder_ / "strata").c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0700U);
  }
  EXPECT_FALSE(fs::exists(socket()));
}

TEST_F(LiveTest, EndsWhoeverWaitsWhenItEnds) {
  auto door = LiveDoor::open(real_env(), live_);
  ASSERT_TRUE(door);
  Result<std::string> answer = "";
  std::thread asking([&] { answer = ask(own_id()); });
  while (!live_.wanted()) std::this_thread::yield();
  door->reset();
  asking.join();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kBusy);
}

TEST_F(LiveTest, NamesWhatTheProcessIsNot) {
  const auto says = [&](const std::string& pid) { return ask(pid).error().message(); };
  EXPECT_NE(says("pebble").find("the id of a running process"), std::string::npos);
  EXPECT_NE(says("12x").find("the id of a running process"), std::string::npos);
  EXPECT_NE(says("-1").find("the id of a running process"), std::string::npos);
  EXPECT_NE(says("999999999").find("there is no process 999999999"), std::string::npos);
  EXPECT_NE(says(own_id()).find("live_test"), std::string::npos) << says(own_id());
}

TEST_F(LiveTest, ForgetsTheSocketOfAKilledProcess) {
  ASSERT_TRUE(LiveDoor::open(real_env(), live_));
  // What a kill leaves: the file, and nobody behind it.
  const pid_t child = ::fork();
  if (child == 0) {
    engine::LiveStats live;
    auto door = LiveDoor::open(real_env(), live);
    ::_exit(door ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const fs::path left = folder_ / "strata" / (std::to_string(child) + ".sock");
  ASSERT_TRUE(fs::exists(left));
  const auto answer = ask(std::to_string(child));
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message().find("there is no process"), std::string::npos);
  EXPECT_FALSE(fs::exists(left));
}

TEST_F(LiveTest, RefusesAFolderThatOthersMayEnter) {
  fs::create_directory(folder_ / "strata");
  ::chmod((folder_ / "strata").c_str(), 0755);
  const auto door = LiveDoor::open(real_env(), live_);
  ASSERT_FALSE(door);
  EXPECT_NE(door.error().message().find("others may enter"), std::string::npos);
}

}  // namespace
}  // namespace strata::apps
