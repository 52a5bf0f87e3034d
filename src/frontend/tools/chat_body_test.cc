// Tools in a body: what the template sees, what is refused, and what the grammar of a demanded call
// lets through for each family. Real templates find their rows.
#include "frontend/tools/chat_body.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "text/test_support.h"

namespace strata::frontend {
namespace {

constexpr const char* kToolTemplate =
    "{% if tools %}T{{ tools | tojson }}{% endif %}{% for m in messages %}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}"
    "{% if enable_thinking is defined and not enable_thinking %}!{% else %}<think>\n{% endif %}";

TextCodec codec_of(const std::string& chat_template, const char* special = "<|im_end|>") {
  checkpoint::ModelDocuments documents;
  documents.tokenizer = text::edited(text::byte_level_json(), "<|im_end|>", special);
  documents.tokenizer_config = R"({"bos_token": "<|bos|>", "eos_token": "<|bos|>"})";
  documents.chat_templates = {{.name = "default", .text = chat_template, .origin = "test"}};
  return TextCodec::create(documents, 320).value();
}

const TextCodec& codec() {
  static const TextCodec kMade = codec_of(kToolTemplate);
  return kMade;
}

Dialog dialog(std::string_view tools, bool thinks = false) {
  Dialog made;
  const auto found = std::ranges::find(tool_formats(), tools, &ToolFormat::name);
  if (found != tool_formats().end()) made.tools = &*found;
  if (thinks) made.reasoning = &reasoning_formats().front();
  return made;
}

constexpr const char* kMessages = R"("messages": [{"role": "user", "content": "hello"}])";
constexpr const char* kTools = R"("tools": [
  {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties":
    {"x": {"type": "integer"}, "s": {"enum": ["a", "b"]}}, "required": ["x"],
    "additionalProperties": false}}},
  {"type": "function", "function": {"name": "g"}}])";

Result<ChatBody> read(const std::string& more, const Dialog& with = dialog("hermes"),
                      const TextCodec& by = codec()) {
  const std::string body = fmt::format("{{{}{}{}}}", kMessages, more.empty() ? "" : ", ", more);
  return read_chat_body(parse_json(body, "test").value(), by, with);
}

std::string prompt(const std::string& more) {
  return codec().decode(read(more).value().ids).value();
}

TEST(ChatBody, TheTemplateSeesToolsAndVariables) {
  EXPECT_EQ(prompt(""), "hello<think>\n");
  EXPECT_EQ(prompt(R"("tools": [{"type": "function", "function": {"name": "g"}}])"),
            R"(T[{"type": "function", "function": {"name": "g", "parameters": )"
            R"({"type": "object", "properties": {}}}}]hello<think>)"
            "\n");
  EXPECT_EQ(prompt(std::string(kTools) + R"(, "tool_choice": "none")"), "hello<think>\n")
      << "what must not be called is not offered";
  const ChatBody made =
      read(R"("chat_template_kwargs": {"enable_thinking": false, "mood": 1})").value();
  EXPECT_EQ(codec().decode(made.ids).value(), "hello!");
  EXPECT_EQ(made.ignored, std::vector<std::string>{"chat_template_kwargs.mood"});
}

TEST(ChatBody, AnswersAreReadAsTheChoiceSays) {
  EXPECT_EQ(read("").value().format.tools, nullptr);
  const ChatBody offered = read(kTools).value();
  EXPECT_EQ(offered.format.tools->name, "hermes");
  EXPECT_TRUE(offered.format.parallel_calls);
  EXPECT_FALSE(offered.calls);
  EXPECT_EQ(read(std::string(kTools) + R"(, "tool_choice": "none")").value().format.tools, nullptr);
  EXPECT_FALSE(read(std::string(kTools) + R"(, "parallel_tool_calls": false)")
                   .value()
                   .format.parallel_calls);
  EXPECT_TRUE(read("", dialog("", true)).value().format.reasoning_open);
  EXPECT_FALSE(read(R"("chat_template_kwargs": {"enable_thinking": false})", dialog("", true))
                   .value()
                   .format.reasoning_open);
}

TEST(ChatBody, MistakesNameTheField) {
  const std::string tools = kTools;
  const std::vector<std::pair<std::string, const char*>> bad = {
      {R"("tools": 5)", "tools"},
      {R"("tools": [5])", "tools[0]"},
      {R"("tools": [{"type": "web_search"}])", "tools[0]: type"},
      {R"("tools": [{"type": "function"}])", "tools[0]: function"},
      {R"("tools": [{"type": "function", "function": {}}])", "tools[0]: function: name"},
      {R"("tools": [{"type": "function", "function": {"name": "a\"b"}}])",
       "tools[0]: function.name"},
      {R"("tools": [{"type": "function", "function": {"name": "f", "parameters": []}}])",
       "tools[0]: function: parameters"},
      {R"("tools": [{"type": "function", "function": {"name": "f"}},
                    {"type": "function", "function": {"name": "f"}}])",
       "tools[1].function.name"},
      {R"("tool_choice": "required")", "tool_choice"},
      {tools + R"(, "tool_choice": "maybe")", "tool_choice"},
      {tools + R"(, "tool_choice": {"type": "function", "function": {"name": "h"}})",
       "tool_choice: function.name"},
      {tools + R"(, "parallel_tool_calls": 1)", "parallel_tool_calls"},
      {R"("chat_template_kwargs": {"messages": []})", "chat_template_kwargs.messages"},
      {R"("chat_template_kwargs": 5)", "chat_template_kwargs"},
      {R"("tool_choice": "required", "tools": [{"type": "function", "function": {"name": "f",
          "parameters": {"type": "object", "properties": {"x": {"not": {}}}}}}])",
       "tools[0].function.parameters"},
  };
  for (const auto& [more, where] : bad) {
    const auto made = read(more);
    ASSERT_FALSE(made) << more;
    EXPECT_TRUE(made.error().what.starts_with(where)) << made.error().message();
  }
  std::string many;
  for (int i = 0; i < 129; i++) {
    many += fmt::format(R"({}{{"type": "function", "function": {{"name": "f{}"}}}})",
                        i == 0 ? "" : ", ", i);
  }
  EXPECT_FALSE(read(R"("tools": [)" + many + "]"));
}

TEST(ChatBody, ToolsAreRefusedWhereTheModelHasNone) {
  const TextCodec plain = codec_of("{% for m in messages %}{{ m.content }}{% endfor %}");
  EXPECT_EQ(read(kTools, dialog("hermes"), plain).error().code, Code::kUnsupported);
  EXPECT_TRUE(read(R"("tools": [], "tool_choice": "auto")", dialog(""), plain));
  EXPECT_EQ(read(kTools, dialog("")).error().code, Code::kUnsupported) << "of no known family";
  Dialog raw = dialog("");
  raw.raw_tools = true;
  EXPECT_EQ(read(kTools, raw).value().format.tools, nullptr) << "calls are left in the text";
  EXPECT_EQ(read(std::string(kTools) + R"(, "tool_choice": "required")", raw).error().code,
            Code::kUnsupported);
}

// Whether an answer with these ids is allowed, to its end.
bool allows(const text::Grammar& grammar, const std::vector<int32_t>& ids) {
  text::Guide guide(grammar);
  for (const int32_t id : ids) {
    guide.compute_mask();
    if (guide.complete() || !guide.allows(id)) return false;
    guide.commit(id);
  }
  guide.compute_mask();
  return guide.may_end();
}

class Demanded {
 public:
  Demanded(const char* family, const std::string& choice, const TextCodec& by = codec(),
           bool thinks = false)
      : codec_(by) {
    const auto made =
        read(std::string(kTools) + R"(, "tool_choice": )" + choice, dialog(family, thinks), by);
    EXPECT_TRUE(made) << made.error().message();
    if (made) grammar_ = made->calls;
  }
  bool allows_text(const std::string& text) const {
    if (!grammar_) return false;
    std::vector<int32_t> ids = codec_.encode(text).value();
    ids.erase(ids.begin());  // BOS
    return allows(*grammar_, ids);
  }
  const std::optional<text::Grammar>& grammar() const { return grammar_; }

 private:
  const TextCodec& codec_;
  std::optional<text::Grammar> grammar_;
};

constexpr const char* kRequired = R"("required")";
constexpr const char* kNamed = R"({"type": "function", "function": {"name": "f"}})";

TEST(CallGrammar, TaggedObjectsOfEachSchema) {
  const Demanded any("pebble", kRequired);
  EXPECT_TRUE(
      any.allows_text(R"(<tool_call>{"name": "f", "arguments": {"x": 1, "s": "a"}}</tool_call>)"));
  EXPECT_TRUE(any.allows_text(R"(<tool_call>{"name": "g", "arguments": {}}</tool_call>)"));
  EXPECT_TRUE(any.allows_text(R"(<tool_call>{"name": "g", "arguments": {}}</tool_call>)"
                              R"(<tool_call>{"name": "f", "arguments": {"x": 2}}</tool_call>)"));
  EXPECT_FALSE(any.allows_text(R"(<tool_call>{"name": "f", "arguments": {}}</tool_call>)"));
  EXPECT_FALSE(any.allows_text(R"(<tool_call>{"name": "h", "arguments": {}}</tool_call>)"));
  EXPECT_FALSE(any.allows_text("hello"));
  const Demanded one("hermes", kNamed);
  const std::string call =
      "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>";
  EXPECT_TRUE(one.allows_text(call));
  EXPECT_FALSE(one.allows_text(call + "\n" + call)) << "the named function, once";
  EXPECT_FALSE(one.allows_text("<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>"));
}

TEST(CallGrammar, LlamaCallsOnce) {
  const Demanded any("llama3-json", kRequired);
  EXPECT_TRUE(any.allows_text(R"({"name": "f", "parameters": {"x": 1}})"));
  EXPECT_FALSE(
      any.allows_text(R"({"name": "f", "parameters": {"x": 1}}{"name": "g", "parameters": {}})"));
}

TEST(CallGrammar, MarksThatAreSpecialTokensStandForThemselves) {
  const TextCodec mistral = codec_of(kToolTemplate, "[TOOL_CALLS]");
  const Demanded any("mistral", kRequired, mistral);
  const std::string list =
      R"([{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}])";
  EXPECT_FALSE(any.allows_text("[TOOL_CALLS]" + list)) << "letters are not the token";
  std::vector<int32_t> ids = mistral.encode(list).value();
  ids.front() = 301;
  ASSERT_TRUE(any.grammar());
  EXPECT_TRUE(allows(*any.grammar(), ids));
  EXPECT_EQ(read(kTools, dialog("mistral"), mistral).value().shown_ids, std::vector<int32_t>{301});
}

TEST(CallGrammar, PythonsArgumentsByName) {
  const Demanded any("pythonic", kRequired);
  EXPECT_TRUE(any.allows_text(R"([f(x=1, s="a"), g()])"));
  EXPECT_TRUE(any.allows_text("[f(x=1)]"));
  EXPECT_FALSE(any.allows_text(R"([f(s="a")])")) << "x is required";
  EXPECT_FALSE(any.allows_text(R"([f(x=1, s="c")])"));
  EXPECT_FALSE(read(R"("tool_choice": "required", "tools": [{"type": "function", "function":
    {"name": "a-b"}}])",
                    dialog("pythonic")));
}

TEST(CallGrammar, ThoughtsComeFirst) {
  const std::string call = R"(<tool_call>{"name": "g", "arguments": {}}</tool_call>)";
  const Demanded open("pebble", kRequired, codec(), true);
  EXPECT_TRUE(open.allows_text("well < so\n</think>\n\n" + call));
  EXPECT_FALSE(open.allows_text(call)) << "the prompt has opened the thoughts";
  const TextCodec closed =
      codec_of("{{ tools }}{% for m in messages %}{{ m.content }}{% endfor %}");
  const Demanded free("pebble", kRequired, closed, true);
  EXPECT_TRUE(free.allows_text(call));
  EXPECT_TRUE(free.allows_text("<think>a</think>" + call));
}

struct Real {
  const char* file;
  std::string_view tools;
  std::string_view reasoning;
};

constexpr Real kReal[] = {
    {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use.jinja", "hermes", "none"},
    {"Qwen-Qwen2.5-7B-Instruct.jinja", "hermes", "none"},
    {"meta-llama-Llama-3.2-3B-Instruct.jinja", "llama3-json", "none"},
    {"mistralai-Mistral-Nemo-Instruct-2407.jinja", "mistral", "none"},
    {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja", "none", "think"},
    {"google-gemma-2-2b-it.jinja", "none", "none"},
    {"microsoft-Phi-3.5-mini-instruct.jinja", "none", "none"},
    {"CohereForAI-c4ai-command-r7b-12-2024-tool_use.jinja", "none", "none"},
};

std::string_view name_of(const auto* row) { return row == nullptr ? "none" : row->name; }

TEST(Dialog, RealTemplatesFindTheirRows) {
  for (const Real& real : kReal) {
    const std::string path = text::shared_path("chat-templates/" + std::string(real.file));
    const auto text = text::read_file(path);
    REQUIRE_OR_SKIP(text.has_value(), "no shared test data at " + path);
    const Dialog found = resolve_dialog({}, codec_of(*text));
    EXPECT_EQ(name_of(found.tools), real.tools) << real.file << ": " << found.tools_reason;
    EXPECT_EQ(name_of(found.reasoning), real.reasoning) << real.file;
  }
}

// A call and its result on their way back into the prompt, as each family's template writes them.
TEST(Dialog, RealTemplatesTakeCallsAndResults) {
  const std::string body = R"({"messages": [{"role": "user", "content": "hi"},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "abcdefghi", "type": "function",
      "function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
    {"role": "tool", "tool_call_id": "abcdefghi", "content": "two"}], "tools": [{"type": "function",
      "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties":
        {"x": {"type": "integer", "description": "x"}}}}}]})";
  for (const Real& real : kReal) {
    if (real.tools == "none") continue;
    const std::string path = text::shared_path("chat-templates/" + std::string(real.file));
    const auto text = text::read_file(path);
    REQUIRE_OR_SKIP(text.has_value(), "no shared test data at " + path);
    const TextCodec by = codec_of(*text);
    const auto made = read_chat_body(parse_json(body, "test").value(), by, resolve_dialog({}, by));
    ASSERT_TRUE(made) << real.file << ": " << made.error().message();
    const std::string prompt = by.decode(made->ids).value();
    EXPECT_TRUE(prompt.contains(R"({"x": 1})")) << real.file << ": " << prompt;
    EXPECT_TRUE(prompt.contains("two")) << real.file;
  }
}

TEST(Dialog, SimilarFamiliesAreNoneOfOurs) {
  const std::string similar = "{{ tools }}<tool_call>\n<function=f></function>\n</tool_call>";
  const Dialog found = resolve_dialog({}, codec_of(similar));
  EXPECT_EQ(name_of(found.tools), "none");
  EXPECT_TRUE(found.tools_reason.contains("not known"));
}

TEST(Dialog, ChoicesAreTheRows) {
  std::string tools = "auto|none", reasoning = "auto|none";
  for (const ToolFormat& row : tool_formats()) tools += fmt::format("|{}", row.name);
  for (const ReasoningFormat& row : reasoning_formats()) reasoning += fmt::format("|{}", row.name);
  EXPECT_EQ(dialog_fields()[0].choices, tools);
  EXPECT_EQ(dialog_fields()[1].choices, reasoning);
  EXPECT_EQ(name_of(resolve_dialog({.tools = "mistral"}, codec()).tools), "mistral");
  EXPECT_TRUE(resolve_dialog({.tools = "none"}, codec()).raw_tools);
  EXPECT_EQ(name_of(resolve_dialog({.reasoning = "seed-oss"}, codec()).reasoning), "seed-oss");
}

}  // namespace
}  // namespace strata::frontend
