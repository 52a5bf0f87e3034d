// Released chat templates and small snippets against Python's Jinja, set up as Transformers does,
// on seeded chats.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "text/chat_template.h"
#include "text/test_support.h"

namespace strata::text {
namespace {

using Json = nlohmann::ordered_json;

// Exit status of the oracle where the Python package is missing: Python's own for an uncaught
// error.
constexpr int kPythonFailed = 1;

Result<std::string> rendered(const Json& row) {
  static std::map<std::string, ChatTemplate> compiled;
  const std::string source = row["source"];
  if (!compiled.contains(source)) compiled.emplace(source, TRY(ChatTemplate::compile(source)));
  return compiled.at(source).render({.messages = row["messages"],
                                     .tools = row["tools"],
                                     .documents = row["documents"],
                                     .add_generation_prompt = row["add_generation_prompt"],
                                     .bos_token = row["bos_token"].get<std::string>(),
                                     .eos_token = row["eos_token"].get<std::string>(),
                                     .variables = row["variables"],
                                     .now_unix_s = row["now"].get<int64_t>()});
}

struct Counts {
  int equal = 0;
  int refused = 0;
};

// Per template (the name before '#'), how many rows gave the same text or failed on both sides.
std::map<std::string, Counts> compare(const std::string& path) {
  std::map<std::string, Counts> counts;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const Json row = Json::parse(line);
    const std::string name = row["name"];
    const auto text = rendered(row);
    const bool fails = row["expected"].is_null();
    EXPECT_EQ(fails, !text) << name << ": Python " << row["error"].dump() << ", ours "
                            << (text ? *text : text.error().message());
    Counts& count = counts[name.substr(0, name.find(" #"))];
    count.refused += fails && !text;
    if (fails || !text) continue;
    EXPECT_EQ(*text, row["expected"].get<std::string>()) << name;
    count.equal += *text == row["expected"].get<std::string>();
  }
  return counts;
}

TEST(ChatTemplateOracle, ReleasedTemplatesOn200ChatsEach) {
  std::vector<std::string> arguments = {scratch_path("chats.jsonl"), "--chats", "200"};
  std::error_code missing;
  for (const auto& entry :
       std::filesystem::directory_iterator(shared_path("chat-templates"), missing)) {
    arguments.push_back(entry.path().string());
  }
  REQUIRE_OR_SKIP(arguments.size() > 3, "no shared test data at " + shared_path("chat-templates"));
  const int status = run_python("tools/text/jinja_oracle.py", arguments);
  REQUIRE_OR_SKIP(status != kPythonFailed, "the oracle needs the Python package jinja2");
  ASSERT_EQ(status, 0);
  const auto counts = compare(arguments[0]);
  EXPECT_EQ(counts.size(), arguments.size() - 3);
  for (const auto& [name, count] : counts) EXPECT_GE(count.equal, 200) << name;
  std::filesystem::remove(arguments[0]);
}

TEST(ChatTemplateOracle, Snippets) {
  const std::string out = scratch_path("snippets.jsonl");
  const char* source = std::getenv("STRATA_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  const std::string snippets = std::string(source) + "/tests/text/jinja_snippets.txt";
  const int status = run_python("tools/text/jinja_oracle.py", {out, "--snippets", snippets});
  REQUIRE_OR_SKIP(status != kPythonFailed, "the oracle needs the Python package jinja2");
  ASSERT_EQ(status, 0);
  int rows = 0;
  for (const auto& [name, count] : compare(out)) rows += count.equal + count.refused;
  EXPECT_GE(rows, 130);
  std::filesystem::remove(out);
}

}  // namespace
}  // namespace strata::text
