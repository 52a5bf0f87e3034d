// For tests: a door with a whole engine on the tiny model behind it, and requests that wait for
// their end.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "engine/test_running.h"
#include "server/engine_door.h"

namespace strata::server::testing {

// A generation, and what the thread that waits for it has heard.
class Asked {
 public:
  explicit Asked(frontend::ApiRequest request)
      : generation(std::make_shared<Generation>(std::move(request), [news = news_] {
          ++*news;
          news->notify_all();
        })) {}

  void wait() {
    while (!done) {
      const int seen = *news_;
      Generation::News news = generation->take();
      for (const auto& piece : news.pieces) {
        if (piece.token) ids.push_back(*piece.token);
      }
      done = news.done;
      error = news.error;
      if (!done) news_->wait(seen);
    }
  }

 private:
  // The door's thread may still be about to notify when the end has been seen.
  std::shared_ptr<std::atomic<int>> news_ = std::make_shared<std::atomic<int>>(0);

 public:
  std::shared_ptr<Generation> generation;
  std::vector<int32_t> ids;
  bool done = false;
  std::optional<Status> error;
};

class DoorTest : public ::testing::Test {
 protected:
  explicit DoorTest(const engine::EngineConfig& config)
      : running_(config), door_(real_env(), running_.engine(), model_) {}
  ~DoorTest() override {
    door_.close(std::chrono::milliseconds(0));
    if (loop_.joinable()) loop_.join();
  }
  void run() {
    loop_ = std::thread([this] { door_.run(); });
  }

  frontend::TextCodec codec_;
  model::GenerationDefaults defaults_;
  Json no_fields_ = Json::object();
  frontend::ServedModel model_{.codec = &codec_,
                               .defaults = &defaults_,
                               .field_defaults = &no_fields_,
                               .name = "m",
                               .max_model_len = 256};
  engine::testing::Running running_;
  EngineDoor door_;
  std::thread loop_;
  std::vector<std::shared_ptr<Generation>> kept_;  // until the loop has ended
};

}  // namespace strata::server::testing
