// What each family writes, told apart; the same however the text is cut.
#include "frontend/tools/answer_parser.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"

namespace strata::frontend {
namespace {

const ToolFormat* tools(std::string_view name) {
  const auto found = std::ranges::find(tool_formats(), name, &ToolFormat::name);
  return found == tool_formats().end() ? nullptr : &*found;
}

AnswerFormat format(std::string_view name) { return {.tools = tools(name)}; }

AnswerFormat thinking(bool open, std::string_view name = "") {
  return {.reasoning = &reasoning_formats().front(), .reasoning_open = open, .tools = tools(name)};
}

// "said|think:thought|f{...}": one part for each thing, in their order.
class Told {
 public:
  void add(const std::vector<Delta>& deltas) {
    for (const Delta& delta : deltas) {
      const bool goes_on = delta.kind == last_ || delta.kind == DeltaKind::kArguments;
      if (!goes_on && !text_.empty()) text_ += "|";
      if (!goes_on && delta.kind == DeltaKind::kReasoning) text_ += "think:";
      text_ += delta.text;
      last_ = delta.kind;
    }
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::optional<DeltaKind> last_;
};

std::string told(const AnswerFormat& format, const std::vector<std::string_view>& pieces) {
  AnswerParser parser(format);
  Told told;
  for (const std::string_view piece : pieces) told.add(parser.feed(piece, false));
  told.add(parser.feed("", true));
  return told.text();
}

// Whole, byte by byte, and cut into two and three at every place.
void expect_told(const AnswerFormat& format, std::string_view text, const std::string& expected) {
  EXPECT_EQ(told(format, {text}), expected) << text;
  std::vector<std::string_view> bytes;
  for (size_t at = 0; at < text.size(); at++) bytes.push_back(text.substr(at, 1));
  EXPECT_EQ(told(format, bytes), expected) << "byte by byte: " << text;
  for (size_t cut = 0; cut <= text.size(); cut++) {
    const std::string_view head = text.substr(0, cut), tail = text.substr(cut);
    ASSERT_EQ(told(format, {head, tail}), expected) << "cut: " << head << " # " << tail;
    const size_t half = tail.size() / 2;
    ASSERT_EQ(told(format, {head, tail.substr(0, half), tail.substr(half)}), expected)
        << "cut twice: " << head << " # " << tail;
  }
}

struct Sample {
  const char* text;
  const char* expected;
};

constexpr Sample kTagged[] = {
    {"Just text, {\"a\": 1} < b.", "Just text, {\"a\": 1} < b."},
    {"", ""},
    {"  \n", "  \n"},
    {R"(<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>)", R"(f{"x": 1})"},
    {"Let me see.\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": [1, {\"y\": \"}\"}]}}\n"
     "</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>",
     R"(Let me see.|f{"x": [1, {"y": "}"}]}|g{})"},
    {R"(<tool_call>{"arguments": {"s": "a\"b\\"}, "name": "f"}</tool_call> Done.)",
     R"(f{"s": "a\"b\\"}|Done.)"},
    {R"(<tool_call>{"name": "f"}</tool_call>)", "f{}"},
    {R"(<tool_call>{"id": 7, "type": ["x", {}], "name": "f", "arguments": {"é": "日本"}})",
     R"(f{"é": "日本"})"},
    {R"(<tool_call>{"name": "f", "arguments": "{\"x\": 1}"}</tool_call>)", R"(f{"x": 1})"},
    {"<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n{\"name\": \"g\", \"parameters\": "
     "{}}\n</tool_call>",
     "f{}|g{}"},
    {R"(<tool_call>{"name": "f", "arguments": {"t": "</tool_call>"}}</tool_call>)",
     R"(f{"t": "</tool_call>"})"},
    // No calls.
    {"a <tool_call>no</tool_call> b", "a <tool_call>no</tool_call> b"},
    {"<tool_call>{\"name\": 3}</tool_call>", "<tool_call>{\"name\": 3}</tool_call>"},
    {"<tool_call>{\"arguments\": {}}", "<tool_call>{\"arguments\": {}}"},
    {"<tool_call>[{}]", "<tool_call>[{}]"},
    {"x <tool_call>", "x <tool_call>"},
    {"x <tool_ca", "x <tool_ca"},
    {"<tool_call>{\"name\": \"f", "<tool_call>{\"name\": \"f"},
    {R"(<tool_call>oops <tool_call>{"name": "f", "arguments": {}}</tool_call>)",
     "<tool_call>oops|f{}"},
    // Cut off, and broken where the call was known already.
    {R"(<tool_call>{"name": "f", "arguments": {"x": "lo)", R"(f{"x": "lo)"},
    {R"(<tool_call>{"name": "f", "arguments": {"x": [1}} rest)", R"(f{"x": [1|}} rest)"},
    {R"(<tool_call>{"name": "f", "arguments": {}} rest)", R"(f{}|rest)"},
    {R"(<tool_call>{"name": "f", "arguments": {"x": Stulor}})", R"(f{"x": |Stulor}})"},
    {R"(<tool_call>{"name": "f", "arguments": {"x": [-1.5e+3, true, null]}})",
     R"(f{"x": [-1.5e+3, true, null]})"},
};

TEST(AnswerParser, ReadsTaggedObjects) {
  for (const Sample& sample : kTagged) {
    expect_told(format("hermes"), sample.text, sample.expected);
    expect_told(format("pebble"), sample.text, sample.expected);
  }
}

constexpr Sample kLlama[] = {
    {R"({"name": "f", "parameters": {"x": 1}})", R"(f{"x": 1})"},
    {R"(
 {"name": "f", "parameters": {}}; {"name": "g", "parameters": {}})",
     "f{}|g{}"},
    {R"(<|python_tag|>{"type": "function", "name": "f", "parameters": {"x": null}})",
     R"(f{"x": null})"},
    {R"(I call: <|python_tag|>{"name": "f", "parameters": {}} so)", "I call:|f{}|so"},
    {R"({"name": "Bob", "age": 3})", R"({"name": "Bob", "age": 3})"},
    {R"( {"name": "Bob"})", R"( {"name": "Bob"})"},
    {"<|python_tag|>print(1)", "<|python_tag|>print(1)"},
    {R"(See {"name": "f", "parameters": {}})", R"(See {"name": "f", "parameters": {}})"},
};

TEST(AnswerParser, ReadsLlamasObjects) {
  for (const Sample& sample : kLlama) {
    expect_told(format("llama3-json"), sample.text, sample.expected);
  }
}

constexpr Sample kMistral[] = {
    {R"([TOOL_CALLS] [{"name": "f", "arguments": {"x": 1}, "id": "abcdefghi"}, {"name": "g", "arguments": {}}])",
     R"(f{"x": 1}|g{})"},
    {R"([TOOL_CALLS][{"name": "f", "arguments": {}}] and)", "f{}|and"},
    {R"(Hm [TOOL_CALLS][{"name": "f", "arguments": {}}, 3])", "Hm|f{}|, 3]"},
    {"[TOOL_CALLS]f{}", "[TOOL_CALLS]f{}"},
    {"[TOOL_CALLS] []", "[TOOL_CALLS] []"},
    {R"([{"name": "f", "arguments": {}}])", R"([{"name": "f", "arguments": {}}])"},
};

TEST(AnswerParser, ReadsMistralsLists) {
  for (const Sample& sample : kMistral) {
    expect_told(format("mistral"), sample.text, sample.expected);
  }
}

constexpr Sample kPython[] = {
    {R"([f(a=1), g(b="x")])", R"(f{"a": 1}|g{"b": "x"})"},
    {" [f()]\n", "f{}"},
    {R"([a.b(x=[True, None, (1, -2.5e3,)], y={'k': "it's", "é": 'a\'\n\u00e9\\'}, )])",
     R"(a.b{"x": [true, null, [1, -2.5e3]], "y": {"k": "it's", "é": "a'\né\\"}})"},
    {"[f(a=')]')] then", "f{\"a\": \")]\"}|then"},
    {"[1] says so", "[1] says so"},
    {"[see (here)]", "[see (here)]"},
    {"[f(1)]", "[f(1)]"},
    {"[f(a=b)]", "[f(a=b)]"},
    {"[f(a=1), g(b=", "f{\"a\": 1}|, g(b="},
    {"[f(a=1) or so", "f{\"a\": 1}|or so"},
    {"[f(a=01)]", "[f(a=01)]"},
    {"[f(a=1),]", "f{\"a\": 1}"},
    {"Then [f(a=1)]", "Then [f(a=1)]"},
};

TEST(AnswerParser, ReadsPythonsLists) {
  for (const Sample& sample : kPython) {
    expect_told(format("pythonic"), sample.text, sample.expected);
  }
}

TEST(AnswerParser, ArgumentsAreJsonWhereTheyAreConverted) {
  AnswerParser parser(format("pythonic"));
  std::string arguments;
  for (const Delta& delta : parser.feed(R"([f(a="\x41\U0001F600\d", b={'x': [1]})])", true)) {
    if (delta.kind == DeltaKind::kArguments) arguments += delta.text;
  }
  const Json expected = {{"a", "A\xF0\x9F\x98\x80\\d"}, {"b", {{"x", {1}}}}};
  EXPECT_EQ(parse_json(arguments, "test").value(), expected);
}

TEST(AnswerParser, NestingIsBounded) {
  const std::string deep(100, '[');
  const std::string text = "[f(a=" + deep;
  EXPECT_EQ(told(format("pythonic"), {text}), text);
  const std::string closed = text + std::string(100, ']') + ")]";
  EXPECT_EQ(told(format("pythonic"), {closed}), closed);
  const std::string tagged = R"(<tool_call>{"name": "f", "x": )" + deep;
  EXPECT_EQ(told(format("hermes"), {tagged}), tagged);
  const std::string other = tagged + std::string(100, ']') + R"(, "arguments": {}}</tool_call>)";
  EXPECT_EQ(told(format("hermes"), {other}), other);
}

constexpr Sample kThoughts[] = {
    {"<think>\nfirst a,\nthen b\n</think>\n\nHello", "think:first a,\nthen b|Hello"},
    {"\n<think>x</think>", "think:x"},
    {"<think></think>Hi", "Hi"},
    {"Hi <think>x</think>", "Hi <think>x</think>"},
    {"<thin air", "<thin air"},
    {"<think>a < b </thin", "think:a < b </thin"},
    {"<think>cut off \n", "think:cut off \n"},
    {"  said", "  said"},
};

TEST(AnswerParser, TellsThoughtsApart) {
  for (const Sample& sample : kThoughts) {
    expect_told(thinking(false), sample.text, sample.expected);
  }
  expect_told(thinking(true), "so\n</think>\nHello </think>", "think:so|Hello </think>");
  expect_told(thinking(true), "never ended", "think:never ended");
}

TEST(AnswerParser, CallsOfThoughtsAreNoCalls) {
  constexpr const char* kCall = R"(<tool_call>{"name": "f", "arguments": {}}</tool_call>)";
  expect_told(thinking(true, "hermes"), std::string(kCall) + "</think>\n\n" + kCall,
              std::string("think:") + kCall + "|f{}");
}

TEST(AnswerParser, NumbersAndNamesCalls) {
  AnswerParser parser(format("mistral"));
  std::vector<Delta> calls;
  for (const Delta& delta : parser.feed(
           R"([TOOL_CALLS][{"name": "f", "arguments": {}}, {"name": "f", "arguments": {}}])",
           true)) {
    if (delta.kind == DeltaKind::kCall) calls.push_back(delta);
  }
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].call, 0);
  EXPECT_EQ(calls[1].call, 1);
  EXPECT_EQ(calls[0].id.size(), 9u) << "its templates demand it";
  EXPECT_NE(calls[0].id, calls[1].id);
  EXPECT_TRUE(parser.has_calls());
}

TEST(AnswerParser, NoDeltaHoldsAPartOfACharacter) {
  AnswerParser parser(format("hermes"));
  EXPECT_EQ(parser.feed("a\xF0\x9F", false).at(0).text, "a");
  EXPECT_TRUE(parser.feed("\x98", false).empty());
  EXPECT_EQ(parser.feed("\x80\xC3", false).at(0).text, "\xF0\x9F\x98\x80");
  EXPECT_EQ(parser.feed("", true).at(0).text, "\xC3") << "nothing is lost";
}

TEST(AnswerParser, ArgumentsGoOutAsTheyCome) {
  AnswerParser parser(format("hermes"));
  EXPECT_TRUE(parser.feed(R"(<tool_call>{"name": "f", "argu)", false).empty());
  const std::vector<Delta> begun = parser.feed(R"(ments": {"text": "lon)", false);
  ASSERT_EQ(begun.size(), 2u);
  EXPECT_TRUE(begun[0].id.starts_with("call_"));
  EXPECT_EQ(begun[1].text, R"({"text": "lon)");
  EXPECT_EQ(parser.feed("g", false).at(0).text, "g");
}

TEST(AnswerParser, OneCallWhereSeveralAreNotWanted) {
  AnswerFormat one = format("hermes");
  one.parallel_calls = false;
  expect_told(one,
              R"(<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>
<tool_call>{"name": "g", "arguments": {"b": 1}}</tool_call>)",
              R"(f{"a": 1})");
}

}  // namespace
}  // namespace strata::frontend
