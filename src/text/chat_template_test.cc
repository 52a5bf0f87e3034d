// ChatTemplate: what a template sees, errors with their place, and templates that mean harm.
#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace strata::text {
namespace {

std::string repeated(std::string_view part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

Result<std::string> rendered(const std::string& source,
                             const ChatInput& input = {.messages = "[]"}) {
  const ChatTemplate compiled = TRY(ChatTemplate::compile(source));
  return compiled.render(input);
}

std::string text_of(const std::string& source, const ChatInput& input = {.messages = "[]"}) {
  const auto text = rendered(source, input);
  return text ? *text : "error: " + text.error().message();
}

TEST(ChatTemplate, SeesItsInput) {
  const ChatInput input = {.messages = R"([{"role": "user", "content": "hé"}])",
                           .tools = R"([{"b": 1, "a": [1.0, null]}])",
                           .add_generation_prompt = false,
                           .bos_token = "<s>",
                           .variables = R"({"style": "dry", "bos_token": "<x>"})"};
  EXPECT_EQ(text_of("{{ messages[0].role }}={{ messages[0]['content'] }}", input), "user=hé");
  EXPECT_EQ(text_of("{{ tools | tojson }}", input), R"([{"b": 1, "a": [1.0, null]}])");
  EXPECT_EQ(text_of("{{ add_generation_prompt }} {{ style }} {{ bos_token }}", input),
            "False dry <x>");
  EXPECT_EQ(text_of("{{ eos_token is defined }} {{ documents is none }}", input), "False True");
  EXPECT_EQ(text_of("{{ tools is none }} {{ bos_token }}|"), "True |");
}

TEST(ChatTemplate, TellsTheTimeItIsGiven) {
  const ChatInput input = {.messages = "[]", .now_unix_s = 86'400 * 365};
  const std::string year = text_of("{{ strftime_now('%Y') }}", input);
  EXPECT_TRUE(year == "1971" || year == "1970") << year;  // a time zone may be west of Greenwich
  EXPECT_EQ(text_of("{{ strftime_now('%Y-%m-%d') | length }}"), "10");
}

TEST(ChatTemplate, OneTemplateServesManyThreads) {
  const ChatTemplate shared =
      ChatTemplate::compile("{% for m in messages %}{{ m.content }}{% endfor %}").value();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([shared, t] {
      const std::string content = repeated(std::to_string(t), 50);
      for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(shared.render({.messages = R"([{"content": ")" + content + R"("}])"}).value(),
                  content);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

struct Refused {
  std::string source;
  Code code;
  std::string_view says;
};

void expect_refused(const Refused& refused, const ChatInput& input = {.messages = "[]"}) {
  const auto text = rendered(refused.source, input);
  const std::string name = refused.source.substr(0, 120);
  ASSERT_FALSE(text) << name << " gave " << text->substr(0, 100);
  EXPECT_EQ(text.error().code, refused.code) << name << ": " << text.error().message();
  EXPECT_NE(text.error().message().find(refused.says), std::string::npos)
      << name << ": " << text.error().message();
}

TEST(ChatTemplate, ErrorsNameLineAndColumn) {
  const Code data = Code::kInvalidData;
  const Code input = Code::kInvalidArgument;
  for (const Refused& refused : std::vector<Refused>{
           {"a\nb {{ x", data, "line 2, column 6"},
           {"{{ 1 }}\n{{ a b }}", data, "line 2, column 6"},
           {"\n\n  {% unknown %}", data, "line 3, column 6: unknown statement"},
           {"{% if true %}", data, "line 1"},
           {"{% include 'x' %}", data, "line 1, column 4"},
           {"{% import 'x' as y %}", data, "line 1"},
           {"{% extends 'x' %}", data, "line 1"},
           {"日本\n  {{ raise_exception('stop here') }}", input, "line 2, column 6: stop here"},
           {"x\n\n{{ 1 + messages }}", input, "line 3, column 4: unsupported operand"},
           {"{{ nosuch.x }}", input, "line 1, column 4: 'nosuch' is undefined"},
           {"{{ 'a' | nosuch }}", input, "No filter named 'nosuch'"},
           {"{{ 'a' is nosuch }}", input, "No test named 'nosuch'"},
           {"{{ self.x }}", input, "'self' is undefined"},
           {"{{ ''.__class__.__mro__ }}", input, "unsafe"},
           {"{{ messages.append(1) }}", input, "unsafe"},
           {"{{ messages[0].update({}) }}", input, "unsafe"}}) {
    expect_refused(refused, {.messages = R"([{"a": 1}])"});
  }
  expect_refused({"{{ x\xFF }}", input, "UTF-8"});
}

TEST(ChatTemplate, BadInputIsTheCallersError) {
  const auto compiled = ChatTemplate::compile("{{ messages }}").value();
  const std::string deep = repeated("[", 5000) + repeated("]", 5000);
  for (const ChatInput& input : std::vector<ChatInput>{{.messages = "{}"},
                                                       {.messages = "[1"},
                                                       {.messages = "[] []"},
                                                       {.messages = deep},
                                                       {.messages = "[]", .tools = "7"},
                                                       {.messages = "[]", .variables = "[]"},
                                                       {.messages = "[\"\xFF\"]"}}) {
    const auto text = compiled.render(input);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Code::kInvalidArgument) << text.error().message();
  }
}

// A counter that a loop can grow: `ns.x`, starting as `start`, becomes `step` up to 99,999 times.
std::string grown(std::string_view start, std::string_view step) {
  return "{% set ns = namespace(x=" + std::string(start) +
         ") %}{% for i in range(99999) %}{% set ns.x = " + std::string(step) + " %}{% endfor %}";
}

TEST(HostileTemplate, TimeIsBounded) {
  const std::string big =
      "{% set a = 'a' * 4000000 %}{% set b = a + '' %}{% set d = {'k': 1} %}"
      "{% for i in range(99999) %}{% set x = ";
  std::vector<std::string> sources = {
      "{% for i in range(1000000000) %}{% endfor %}",
      repeated("{% for i in range(9999) %}", 40) + "x" + repeated("{% endfor %}", 40),
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}",
      "{% macro f(n) %}{% for i in range(99) %}{{ f(n) }}{% endfor %}{% endmacro %}{{ f(1) }}",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      grown("[1]", "[ns.x, ns.x]"),
      "{% set a = range(99999) %}{% for i in a %}{{ loop.changed(a + [i]) }}{% endfor %}",
  };
  for (const char* operation : {"'b' in a",
                                "a == b",
                                "a < b",
                                "a | length",
                                "a[3999999]",
                                "a[::2]",
                                "d[a]",
                                "a in d",
                                "a.title()",
                                "a.count('b')",
                                "a.find('b')",
                                "a | wordcount",
                                "a.isalpha()",
                                "a is upper",
                                "a.split('b')",
                                "a.strip('b' * 1000000)",
                                "a.replace('b', 'c')",
                                "a | upper",
                                "a | list",
                                "{a: 1}",
                                "range(99999) | sort",
                                "range(99999) | first",
                                "range(99999) | map('string') | join",
                                "a | tojson",
                                "a ~ 'x'",
                                "a % ()"}) {
    sources.push_back(big + operation + " %}{% endfor %}");
  }
  for (const std::string& source : sources)
    expect_refused({source, Code::kResourceLimit, "chat template"});
}

TEST(HostileTemplate, MemoryIsBounded) {
  for (const std::string& source : std::vector<std::string>{
           "{{ 'a' * 10**9 }}",
           "{{ ([1] * 10**9) | length }}",
           grown("'aaaaaaaa'", "ns.x + ns.x"),
           grown("'aaaaaaaa'", "ns.x ~ ns.x"),
           grown("'aaaaaaaa'", "ns.x.replace('a', 'aaaaaaaa')"),
           grown("[]", "ns.x + ['a' * 1000000]"),
           grown("'a'", "'a' * 4000000"),
           "{{ (['a' * 100000] * 99999) | join('b' * 100000) }}",
           "{{ (['a' * 100000] * 99999) | string }}",
           "{{ (['a' * 100000] * 99999) | tojson }}",
           "{{ ('a' * 1000000).replace('', 'b' * 1000) }}",
           "{{ '%1000000000d' % 1 }}",
           "{{ '%.1000000000f' % 1 }}",
           "{{ '{:1000000000}'.format(1) }}",
           "{{ 'a'.zfill(1000000000) }}",
           "{{ 'a' | center(1000000000) }}",
           "{{ 'a\\nb' | indent(1000000000) }}",
           "{{ [[1]] | tojson(indent=1000000000) }}",
           "{% for i in range(99999) %}" + repeated("a", 100000) + "{% endfor %}",
           "{% for i in range(99999) %}{% set x %}" + repeated("a", 100000) +
               "{% endset %}{% endfor %}",
           "{% for i in range(99999) %}{% macro f() %}{% endmacro %}" +
               std::string("{% set x = namespace(a=f) %}{% endfor %}"),
           repeated("a", 2'000'000)}) {
    expect_refused({source, Code::kResourceLimit, "chat template"});
  }
}

TEST(HostileTemplate, DepthIsBounded) {
  for (const std::string& source : std::vector<std::string>{
           "{{ " + repeated("(", 60000) + "1" + repeated(")", 60000) + " }}",
           "{{ " + repeated("[", 60000) + repeated("]", 60000) + " }}",
           "{{ " + repeated("{'a':", 60000) + "1" + repeated("}", 60000) + " }}",
           repeated("{% if 1 %}", 30000) + repeated("{% endif %}", 30000),
           repeated("{% for x in y %}", 30000) + repeated("{% endfor %}", 30000),
           "{% if 0 %}" + repeated("{% elif 0 %}", 60000) + "{% endif %}",
           "{{ 1" + repeated("+1", 400000) + " }}", "{{ 1" + repeated("**1", 300000) + " }}",
           "{{ 'a'" + repeated("|trim", 200000) + " }}", "{{ a" + repeated(".b", 400000) + " }}",
           "{{ a" + repeated("[0]", 300000) + " }}", "{{ " + repeated("not ", 200000) + "1 }}",
           "{{ " + repeated("-", 200000) + "1 }}",
           "{{ 1" + repeated(" if 1 else 2", 60000) + " }}"}) {
    expect_refused({source, Code::kInvalidData, "chat template: line 1, column"});
  }
  for (const std::string& source : std::vector<std::string>{
           grown("[]", "[ns.x]"), grown("[]", "{'a': ns.x}"), grown("'a'", "[ns.x].index"),
           grown("[]", "namespace(x=ns.x).x + [[ns.x]]"),
           "{% macro f() %}{{ f()" + repeated("+1", 3900) + " }}{% endmacro %}{{ f() }}"}) {
    expect_refused({source, Code::kResourceLimit, "deep"});
  }
  // The deepest that is allowed works, on whatever stack the caller has.
  EXPECT_EQ(text_of("{{ 1" + repeated("+1", 4000) + " }}"), "4001");
  EXPECT_EQ(text_of("{{ " + repeated("not ", 4000) + "1 }}"), "True");
}

TEST(HostileTemplate, CyclesNeitherHangNorPrintForever) {
  EXPECT_EQ(text_of("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns.x.x.x == ns }}"), "True");
  EXPECT_EQ(text_of("{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x }}"), "[<Namespace>]");
  expect_refused({"{% set ns = namespace() %}{% set ns.x = ns %}{{ ns | tojson }}",
                  Code::kInvalidArgument, "not JSON serializable"});
}

TEST(HostileTemplate, RefusesAChatOverTheCap) {
  const auto compiled = ChatTemplate::compile("x").value();
  const std::string blanks(64 << 20, ' ');
  const auto text = compiled.render({.messages = "[]" + blanks});
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::kResourceLimit);
  EXPECT_NE(text.error().message().find("67108866 bytes"), std::string::npos);
}

TEST(HostileTemplate, RefusesOutputOverTheCap) {
  EXPECT_EQ(text_of("{{ 'a' * 4194304 }}").size(), 4'194'304u);
  expect_refused({"{{ 'a' * 4194304 }}b", Code::kResourceLimit, "4194304"});
}

// An honest chat far longer than any context must pass.
TEST(ChatTemplate, LongChatsStayWithinTheBudget) {
  std::string messages = "[";
  for (int i = 0; i < 4000; ++i) {
    messages += i > 0 ? "," : "";
    messages += R"({"role": "user", "content": ")" + repeated("word ", 100) + R"("})";
  }
  messages += "]";
  const std::string source =
      "{% for m in messages %}{% set content = m['content'] | trim %}{% if '</think>' in content %}"
      "{% set content = content.split('</think>')[-1] %}{% endif %}"
      "{{ '<|' + m['role'] + '|>' + content + '\\n' }}{% endfor %}";
  const auto text = rendered(source, {.messages = messages});
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_EQ(text->size(), 4000u * (8 + 499 + 1));
}

}  // namespace
}  // namespace strata::text
