// The forms that clients send, the one that templates read, and every mistake named.
#include "frontend/chat_messages.h"

#include <gtest/gtest.h>

namespace strata::frontend {
namespace {

Result<Json> read(const std::string& text) {
  return read_messages(parse_json(text, "test").value());
}

TEST(ChatMessages, PartsAreJoinedAndDeveloperIsSystem) {
  const Json made = read(R"([{"role": "developer", "content": "be kind"},
    {"role": "user", "name": "ann", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])")
                        .value();
  EXPECT_EQ(made[0]["role"], "system");
  EXPECT_EQ(made[1]["content"], "ab");
  EXPECT_EQ(made[1]["name"], "ann") << "what templates may look at stays";
}

// Templates walk the arguments, as Transformers hands them over.
TEST(ChatMessages, ArgumentsOfCallsBecomeObjects) {
  const Json made = read(R"([{"role": "assistant", "content": null, "tool_calls": [
    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
    {"id": "d", "type": "function", "function": {"name": "g", "arguments": ""}}]},
    {"role": "tool", "tool_call_id": "c", "content": "2"},
    {"role": "assistant", "content": "two", "tool_calls": []}])")
                        .value();
  EXPECT_EQ(made[0]["tool_calls"][0]["function"]["arguments"], Json({{"x", 1}}));
  EXPECT_EQ(made[0]["tool_calls"][1]["function"]["arguments"], Json::object());
  EXPECT_TRUE(made[0]["content"].is_null());
  EXPECT_FALSE(made[2].contains("tool_calls")) << "none is none";
}

TEST(ChatMessages, MistakesNameTheMessageAndTheField) {
  const std::vector<std::pair<const char*, const char*>> bad = {
      {"[]", "messages"},
      {"{}", "messages"},
      {R"(["hi"])", "messages[0]"},
      {R"([{"content": "x"}])", "messages[0]: role"},
      {R"([{"role": "user", "content": "x"}, {"role": "bob", "content": "x"}])",
       "messages[1]: role"},
      {R"([{"role": "user"}])", "messages[0]: content"},
      {R"([{"role": "user", "content": null}])", "messages[0]: content"},
      {R"([{"role": "user", "content": 5}])", "messages[0]: content"},
      {R"([{"role": "assistant"}])", "messages[0]: content"},
      {R"([{"role": "user", "content": [{"text": "x"}]}])", "messages[0]: type"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])",
       "messages[0]: content"},
      {R"([{"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}])",
       "messages[0]: name"},
      {R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}])",
       "messages[0]: arguments"},
      {R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 3}}]}])",
       "messages[0]: arguments"},
      {R"([{"role": "tool", "content": "2"}])", "messages[0]: tool_call_id"},
      {R"([{"role": "tool", "tool_call_id": "c", "content": "2"}])", "messages[0]: tool_call_id"},
  };
  for (const auto& [text, where] : bad) {
    const auto made = read(text);
    ASSERT_FALSE(made) << text;
    EXPECT_TRUE(made.error().what.starts_with(where)) << made.error().message();
  }
}

}  // namespace
}  // namespace strata::frontend
