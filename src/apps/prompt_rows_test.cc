// Good rows, every kind of bad row, and files whose lines do not fit the buffer.
#include "apps/prompt_rows.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/fault_env.h"

namespace strata::apps {
namespace {

class PromptRows : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  std::vector<AnyRow> read(const std::string& text, bool ids_name_files = false) {
    std::ofstream(path_) << text;
    auto reader = PromptReader::open(real_env(), path_, ids_name_files);
    EXPECT_TRUE(reader);
    std::vector<AnyRow> rows;
    for (;;) {
      auto row = reader->next();
      EXPECT_TRUE(row) << row.error().message();
      if (!row || !*row) return rows;
      rows.push_back(std::move(**row));
    }
  }
  std::string refusal(const std::string& line, bool ids_name_files = false) {
    const auto rows = read(line, ids_name_files);
    if (rows.size() != 1 || !std::holds_alternative<BadRow>(rows[0])) return "accepted";
    return std::get<BadRow>(rows[0]).status.message().substr(path_.size());
  }

  std::string path_ = testing::TempDir() + "/prompt_rows_" +
                      testing::UnitTest::GetInstance()->current_test_info()->name() + ".jsonl";
};

TEST_F(PromptRows, AreReadInAllTheirForms) {
  const auto rows = read(
      "{\"id\":\"a\",\"ids\":[1,2]}\r\n\n  "
      "\n{\"prompt\":\"h\\u00e9\",\"id\":7}\n{\"id\":\"c\",\"messages\":[{\"role\":\"user\"}]}");
  ASSERT_EQ(rows.size(), 3u);
  const auto& a = std::get<PromptRow>(rows[0]);
  EXPECT_EQ(a.id, "a");
  EXPECT_EQ(std::get<std::vector<int32_t>>(a.prompt), (std::vector<int32_t>{1, 2}));
  const auto& b = std::get<PromptRow>(rows[1]);
  EXPECT_EQ(b.line, 4);
  EXPECT_EQ(b.id, "7");
  EXPECT_EQ(b.id_json, 7);
  EXPECT_EQ(std::get<std::string>(b.prompt), "h\u00e9");
  EXPECT_TRUE(std::get<Json>(std::get<PromptRow>(rows[2]).prompt).is_array());
}

TEST_F(PromptRows, NameLineAndFieldOfAMistake) {
  const auto expect = [&](const std::string& line, const std::string& part) {
    const std::string message = refusal(line);
    EXPECT_TRUE(message.starts_with(":1:")) << line << " -> " << message;
    EXPECT_NE(message.find(part), std::string::npos) << line << " -> " << message;
  };
  expect("{\"id\":\"a\",", "");
  expect("[1]", "object");
  expect("{\"ids\":[1]}", "id");
  expect("{\"id\":null,\"ids\":[1]}", "id");
  expect("{\"id\":\"\",\"ids\":[1]}", "id");
  expect("{\"id\":\"a\"}", "no prompt");
  expect("{\"id\":\"a\",\"ids\":[1],\"prompt\":\"x\"}", "both ids and prompt");
  expect("{\"id\":\"a\",\"ids\":[1],\"max_token\":3}", "unknown field \"max_token\"");
  expect("{\"id\":\"a\",\"ids\":[1.5]}", "ids");
  expect("{\"id\":\"a\",\"ids\":[99999999999]}", "ids");
  expect("{\"id\":\"a\",\"ids\":\"1\"}", "ids");
  expect("{\"id\":\"a\",\"prompt\":3}", "prompt");
  expect("{\"id\":\"a\",\"messages\":{}}", "messages");
  expect("{\"id\":\"a\",\"prompt\":\"\xff\"}", "");
}

TEST_F(PromptRows, KeepWhatTheyAskOfSampling) {
  const auto rows = read("{\"id\":1,\"ids\":[1],\"top_p\":0.5,\"stop\":[\"x\"]}\n");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(std::get<PromptRow>(rows[0]).sampling.dump(), "{\"top_p\":0.5,\"stop\":[\"x\"]}");
  EXPECT_NE(refusal("{\"id\":1,\"ids\":[1],\"top-p\":0.5}").find("unknown field"),
            std::string::npos);
}

TEST_F(PromptRows, KeepTheIdOfABadRowAndGoOn) {
  const auto rows =
      read("{\"id\":\"a\",\"ids\":1}\n{\"id\":\"a\",\"ids\":[1]}\n{\"id\":\"a\",\"ids\":[1]}\n");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(std::get<BadRow>(rows[0]).id_json, "a");
  EXPECT_EQ(std::get<PromptRow>(rows[1]).line, 2);
  EXPECT_NE(std::get<BadRow>(rows[2]).status.message().find("no earlier line"), std::string::npos);
}

TEST_F(PromptRows, CheckIdsThatNameFiles) {
  for (const char* id : {"../x", "a/b", ".", "..", "a b", ".hidden", "a\\u0000b"}) {
    EXPECT_NE(refusal(std::string("{\"id\":\"") + id + "\",\"ids\":[1]}", true), "accepted") << id;
  }
  EXPECT_EQ(read("{\"id\":\"a-1_B.2\",\"ids\":[1]}", true).size(), 1u);
  EXPECT_TRUE(is_file_name("x"));
  EXPECT_FALSE(is_file_name(std::string(201, 'x')));
}

TEST_F(PromptRows, MayCrossTheReadBuffer) {
  const std::string long_text(3 << 20, 'x');
  const auto rows = read("{\"id\":1,\"prompt\":\"" + long_text + "\"}\n{\"id\":2,\"prompt\":\"" +
                         long_text + "\"}");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(std::get<std::string>(std::get<PromptRow>(rows[1]).prompt), long_text);
}

TEST_F(PromptRows, RefuseLinesThatAreTooLongAndGoOn) {
  const auto rows = read("{\"id\":1,\"prompt\":\"" + std::string(17 << 20, 'x') +
                         "\"}\n{\"id\":2,\"prompt\":\"x\"}\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NE(std::get<BadRow>(rows[0]).status.message().find("too long"), std::string::npos);
  EXPECT_EQ(std::get<PromptRow>(rows[1]).line, 2);
}

TEST_F(PromptRows, ReportAFileThatCannotBeRead) {
  std::ofstream(path_) << "{\"id\":1,\"prompt\":\"x\"}\n";
  FaultEnv env(real_env(), {.kind = FaultPlan::Kind::kError, .fail_call = 1});
  auto reader = PromptReader::open(env, path_, false);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->next().error().code, Code::kIo);
  EXPECT_FALSE(PromptReader::open(real_env(), "/nonexistent/rows", false));
}

}  // namespace
}  // namespace strata::apps
