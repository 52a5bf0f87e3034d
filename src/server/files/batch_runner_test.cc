// Batches beside a real engine on the tiny model: each ends once, whatever its disk does, and live
// requests are answered meanwhile.
#include "server/files/batch_runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "base/fault_env.h"
#include "engine/test_running.h"
#include "server/test_door.h"

namespace strata::server {
namespace {

using namespace std::chrono_literals;
using engine::testing::prompt;

std::string rows(int count, int max_tokens) {
  std::string text;
  for (int i = 0; i < count; i++) {
    const Json row = {{"custom_id", std::to_string(i)},
                      {"url", "/v1/completions"},
                      {"body",
                       {{"prompt", prompt(9, static_cast<uint32_t>(i))},
                        {"max_tokens", max_tokens},
                        {"temperature", 0},
                        {"return_token_ids", true},
                        {"ignore_eos", true}}}};
    text += row.dump() + "\n";
  }
  return text;
}

class BatchRunnerTest : public testing::DoorTest {
 protected:
  BatchRunnerTest() : DoorTest({.threads = 1, .max_num_seqs = 8}) {
    std::string name = ::testing::TempDir() + "/strata_batches_XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    run();
  }
  ~BatchRunnerTest() override { std::filesystem::remove_all(root_); }

  // A server's part of files, for as long as it lives.
  struct Server {
    Server(BatchRunnerTest& test, Env& env, std::vector<std::string> owners = {})
        : folder(env, test.root_ + "/files"),
          files(folder, {}),
          batches(folder),
          runner(folder, files, batches, std::move(owners)) {
      opened = folder.open();
      if (opened) opened = batches.load();
      if (opened) opened = files.load(batches.coming_files());
    }
    Result<BatchRecord> create(const std::string& text, const std::string& owner = "") {
      auto upload = TRY(files.begin(owner));
      TRY(upload->write(text));
      BatchRecord asked;
      asked.kind = frontend::ApiKind::kCompletion;
      asked.owner = owner;
      asked.input_file = TRY(upload->finish("rows.jsonl", "batch")).id;
      BatchRecord made = TRY(batches.create(std::move(asked)));
      runner.wake();
      return made;
    }
    BatchRecord wait(const std::string& id) const {
      for (;;) {
        const BatchRecord now = *batches.get(id);
        if (now.ended()) return now;
        std::this_thread::sleep_for(1ms);
      }
    }
    std::vector<Json> rows_of(const std::string& file, const std::string& owner = "") const {
      std::vector<Json> made;
      if (file.empty()) return made;
      auto lines = *LineReader::open(real_env(), files.path(*files.find(owner, file)));
      while (auto line = *lines.next()) made.push_back(*parse_json(line->text, "row"));
      return made;
    }

    StateFolder folder;
    FileStore files;
    BatchStore batches;
    BatchRunner runner;
    Result<void> opened;
  };

  void expect_live_answer() {
    frontend::ApiRequest request{.kind = frontend::ApiKind::kCompletion, .prompts = {prompt(5, 1)}};
    request.ask.max_tokens = 2;
    request.ask.ignore_eos = true;
    testing::Asked asked(std::move(request));
    ASSERT_TRUE(door_.submit(asked.generation));
    asked.wait();
    EXPECT_FALSE(asked.error);
    kept_.push_back(asked.generation);
  }

  Served served_{door_, running_.engine(), model_};
  std::string root_;
};

TEST_F(BatchRunnerTest, AnswersRowsAsTheEngineAloneDoes) {
  std::vector<engine::GenerateRequest> requests;
  for (uint32_t i = 0; i < 20; i++) requests.push_back(engine::testing::plain(9, 12, i));
  const auto alone = engine::testing::each_alone(requests);
  Server server(*this, real_env());
  server.runner.start(served_);
  const BatchRecord batch = *server.create(rows(20, 12));
  expect_live_answer();
  const BatchRecord ended = server.wait(batch.id);
  EXPECT_EQ(ended.status, BatchStatus::kCompleted);
  EXPECT_EQ(ended.answered, 20);
  EXPECT_TRUE(ended.error_file.empty());
  for (const Json& row : server.rows_of(ended.output_file)) {
    const auto id = static_cast<size_t>(std::atoi(row["custom_id"].get<std::string>().c_str()));
    EXPECT_EQ(row["response"]["body"]["choices"][0]["token_ids"], Json(alone.at(id).ids));
  }
}

TEST_F(BatchRunnerTest, AFullDiskFailsTheBatchAndNothingElse) {
  bool completed = false;
  int failed = 0;
  for (int64_t call = 0; !completed; call++) {
    std::filesystem::remove_all(root_ + "/files");
    FaultEnv full(real_env(), {.kind = FaultPlan::Kind::kNoSpace, .fail_call = call});
    Server server(*this, full);
    if (!server.opened) continue;
    const auto batch = server.create(rows(3, 2));
    if (!batch) continue;
    server.runner.start(served_);
    const BatchRecord ended = server.wait(batch->id);
    expect_live_answer();
    completed = ended.status == BatchStatus::kCompleted;
    if (completed) {
      EXPECT_EQ(server.rows_of(ended.output_file).size(), 3u);
      continue;
    }
    failed++;
    ASSERT_EQ(ended.status, BatchStatus::kFailed) << call;
    ASSERT_EQ(ended.faults.size(), 1u);
    EXPECT_TRUE(ended.faults[0].message.contains("No space left")) << ended.faults[0].message;
    EXPECT_FALSE(ended.faults[0].message.contains(root_)) << "a path of the server";
    EXPECT_EQ(server.files.list("").size(), 1u) << "the input alone, after call " << call;
    ASSERT_LT(call, 100);
  }
  EXPECT_GT(failed, 5) << "the writes of a batch";
}

TEST_F(BatchRunnerTest, WhatAServerLeavesTheNextOneEnds) {
  std::string id;
  {
    Server server(*this, real_env());
    server.runner.start(served_);
    id = server.create(rows(60, 60))->id;
    while (server.batches.get(id)->answered < 3) std::this_thread::yield();
    server.runner.stop();
    EXPECT_FALSE(server.batches.get(id)->ended());
  }
  Server server(*this, real_env());
  server.runner.start(served_);
  const BatchRecord ended = server.wait(id);
  EXPECT_EQ(ended.status, BatchStatus::kCompleted);
  std::set<std::string> ids;
  for (const Json& row : server.rows_of(ended.output_file)) ids.insert(row["custom_id"]);
  EXPECT_EQ(ids.size(), 60u);
  EXPECT_EQ(ended.answered, 60) << "and none twice";
}

TEST_F(BatchRunnerTest, AWindowThatClosesEndsTheBatchWithItsOtherRowsNamed) {
  Server server(*this, real_env());
  server.runner.start(served_);
  const BatchRecord batch = *server.create(rows(200, 60));
  while (server.batches.get(batch.id)->answered < 3) std::this_thread::yield();
  ASSERT_TRUE(server.batches.update(batch.id, [](BatchRecord& one) { one.expires_s = 1; }));
  const BatchRecord ended = server.wait(batch.id);
  EXPECT_EQ(ended.status, BatchStatus::kExpired);
  EXPECT_EQ(ended.answered + ended.refused, 200);
  const auto unasked = server.rows_of(ended.error_file);
  ASSERT_FALSE(unasked.empty());
  EXPECT_EQ(unasked[0]["error"]["code"], "batch_expired");
  EXPECT_TRUE(unasked[0]["response"].is_null());
  EXPECT_EQ(std::ssize(server.rows_of(ended.output_file)), ended.answered);
  expect_live_answer();
}

TEST_F(BatchRunnerTest, BatchesOfKeysThatAreGoneWait) {
  Server server(*this, real_env(), {"a", "b"});
  const BatchRecord gone = *server.create(rows(2, 2), "c");
  const BatchRecord second = *server.create(rows(2, 2), "b");
  const BatchRecord first = *server.create(rows(2, 2), "a");
  server.runner.start(served_);
  EXPECT_EQ(server.wait(first.id).status, BatchStatus::kCompleted);
  EXPECT_EQ(server.wait(second.id).status, BatchStatus::kCompleted);
  EXPECT_EQ(server.batches.get(gone.id)->status, BatchStatus::kValidating);
}

TEST_F(BatchRunnerTest, InputsWithoutRowsOrWithTooManyFail) {
  Server server(*this, real_env());
  server.runner.start(served_);
  EXPECT_EQ(server.wait(server.create("\n")->id).status, BatchStatus::kFailed);
  std::string many;
  const Json row = parse_json(rows(1, 1), "row").value();
  for (int64_t i = 0; i <= BatchTask::kMostRows; i++) {
    Json one = row;
    one["custom_id"] = std::to_string(i);
    many += one.dump() + "\n";
  }
  const BatchRecord ended = server.wait(server.create(many)->id);
  EXPECT_EQ(ended.status, BatchStatus::kFailed);
  EXPECT_TRUE(ended.faults.at(0).message.contains("at most 50000"));
  expect_live_answer();
}

}  // namespace
}  // namespace strata::server
