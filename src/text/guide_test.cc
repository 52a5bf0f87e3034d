// Every kind of grammar lets through only what it describes; forks and replays agree; what is bad,
// endless or explosive is refused with its reason.
#include "text/guide.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "text/detokenizer.h"
#include "text/test_support.h"

namespace strata::text {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kVocab = 320;  // more than the tokenizer has

const Tokenizer& tokenizer() {
  static const Tokenizer kTokenizer = Tokenizer::from_json(byte_level_json()).value();
  return kTokenizer;
}

const GuideFactory& factory() {
  static const GuideFactory kFactory = GuideFactory::create(tokenizer(), kVocab).value();
  return kFactory;
}

Grammar compiled(GrammarKind kind, std::string_view source) {
  auto grammar = factory().compile(kind, source);
  EXPECT_TRUE(grammar) << source << ": " << grammar.error().message();
  return *grammar;
}

std::vector<int32_t> allowed(Guide& guide) {
  guide.compute_mask();
  EXPECT_EQ(guide.failure(), nullptr) << guide.failure()->message();
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < kVocab; id++) {
    if (guide.allows(id)) ids.push_back(id);
  }
  return ids;
}

std::string text_of(const std::vector<int32_t>& ids) {
  Detokenizer detokenizer(tokenizer());
  std::string text;
  for (const int32_t id : ids) text += detokenizer.append(id);
  return text + detokenizer.flush();
}

// Random allowed tokens until the text may end (then mostly at once) or is complete; nothing where
// `most` tokens do not suffice.
std::optional<std::vector<int32_t>> random_walk(const Grammar& grammar, uint32_t seed, int most) {
  std::mt19937 random(seed);
  Guide guide(grammar);
  std::vector<int32_t> ids;
  while (static_cast<int>(ids.size()) < most) {
    const std::vector<int32_t> next = allowed(guide);
    if (guide.complete() || (guide.may_end() && random() % 2 == 0)) return ids;
    if (next.empty()) return std::nullopt;
    // Structure rather than blanks and long texts: quotes, digits and brackets come more often.
    std::vector<int32_t> short_ones;
    for (const int32_t id : next) {
      const std::string text = text_of({id});
      if (text.size() == 1 && text.find_first_of("\"0123456789}]") == 0) short_ones.push_back(id);
    }
    const auto& from = !short_ones.empty() && random() % 2 == 0 ? short_ones : next;
    ids.push_back(from[random() % from.size()]);
    guide.commit(ids.back());
  }
  return std::nullopt;
}

// At least half of the walks end, and `right` holds for the text of each that does.
void expect_all(const Grammar& grammar, const std::function<bool(const std::string&)>& right) {
  int ended = 0;
  for (uint32_t seed = 0; seed < 60; seed++) {
    const auto ids = random_walk(grammar, seed, 400);
    if (!ids) continue;
    ended++;
    const std::string text = text_of(*ids);
    EXPECT_TRUE(right(text)) << text;
  }
  EXPECT_GE(ended, 30);
}

bool follows_person_schema(const std::string& text) {
  const Json value = Json::parse(text, nullptr, false);
  if (!value.is_object() || !value.contains("name") || !value.contains("age")) return false;
  for (const auto& [key, member] : value.items()) {
    if (key == "name" && !(member.is_string())) return false;
    if (key == "age" && !(member.is_number_integer() && member >= 0 && member <= 150)) return false;
    if (key == "role" && member != "admin" && member != "user") return false;
    if (key == "tags" && !(member.is_array() && member.size() <= 2)) return false;
    if (key != "name" && key != "age" && key != "role" && key != "tags") return false;
  }
  return true;
}

constexpr const char* kPersonSchema = R"({
  "type": "object",
  "properties": {
    "name": {"type": "string", "maxLength": 12},
    "age": {"type": "integer", "minimum": 0, "maximum": 150},
    "role": {"enum": ["admin", "user"]},
    "tags": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2}},
  "required": ["name", "age"], "additionalProperties": false})";

TEST(Guide, LetsThroughWhatASchemaDescribes) {
  expect_all(compiled(GrammarKind::kJsonSchema, kPersonSchema), follows_person_schema);
}

// How many bytes of `text` an answer may begin with.
size_t taken(const Grammar& grammar, std::string_view text) {
  Guide guide(grammar);
  for (size_t i = 0; i < text.size(); i++) {
    const auto has = [&](int32_t id) { return text_of({id}) == text.substr(i, 1); };
    const std::vector<int32_t> next = allowed(guide);
    if (std::ranges::none_of(next, has)) return i;
    guide.commit(*std::ranges::find_if(next, has));
  }
  return text.size();
}

TEST(Guide, PartsOfJsonStandASpaceOrALineApart) {
  const Grammar grammar = compiled(GrammarKind::kJsonSchema, kPersonSchema);
  EXPECT_EQ(taken(grammar, "{\n  \"name\": \"a\",\r\n\t\"age\":1\n}"), 28u);
  const std::string bad[] = {"{\n\n", "{  ", "{ \n", "{\n" + std::string(33, ' ')};
  for (const std::string& text : bad) EXPECT_EQ(taken(grammar, text), text.size() - 1) << text;
}

// JSON knows no largest number, the parser that checks here does.
std::string without_exponents(const std::string& text) {
  std::string made;
  bool inside = false;
  for (size_t i = 0; i < text.size(); i++) {
    if (inside && text[i] == '\\') {
      made += text[i++];
    } else if (text[i] == '"') {
      inside = !inside;
    }
    const bool exponent = !inside && i > 0 && (text[i] == 'e' || text[i] == 'E') &&
                          std::isdigit(static_cast<unsigned char>(text[i - 1])) != 0;
    if (!exponent) made += text[i];
    while (exponent && std::string_view("+-0123456789").contains(text[i + 1])) i++;
  }
  return made;
}

TEST(Guide, LetsThroughObjectsOnly) {
  expect_all(compiled(GrammarKind::kJsonObject, ""), [](const std::string& text) {
    return Json::parse(without_exponents(text), nullptr, false).is_object();
  });
}

TEST(Guide, LetsThroughWhatARegexMatches) {
  const Grammar grammar = compiled(GrammarKind::kRegex, "^[0-9]{3}-(ab|c)+$");
  expect_all(grammar, [](const std::string& text) {
    if (text.size() < 5 || text[3] != '-') return false;
    const bool digits =
        std::all_of(text.begin(), text.begin() + 3, [](char c) { return c >= '0' && c <= '9'; });
    for (size_t i = 4; i < text.size(); i++) {
      if (text[i] == 'c') continue;
      if (text.substr(i, 2) != "ab") return false;
      i++;
    }
    return digits;
  });
}

TEST(Guide, LetsThroughOneOfTheChoices) {
  const std::vector<std::string> choices = {"yes", "yes, sir", "no \"quotes\"\n", "/x/", "ü"};
  const Grammar grammar = compiled(GrammarKind::kChoice, Json(choices).dump());
  expect_all(grammar, [&](const std::string& text) {
    return std::ranges::find(choices, text) != choices.end();
  });
}

TEST(Guide, LetsThroughWhatAGrammarDerives) {
  const Grammar grammar =
      compiled(GrammarKind::kLark, "start: \"(\" start \")\" | NUMBER\nNUMBER: /[0-9]/");
  expect_all(grammar, [](const std::string& text) {
    const size_t half = text.size() / 2;
    return text.size() % 2 == 1 && text[half] >= '0' && text[half] <= '9' &&
           text.substr(0, half) == std::string(half, '(') &&
           text.substr(half + 1) == std::string(half, ')');
  });
}

TEST(Guide, EndsWhereNothingMayFollow) {
  Guide guide(compiled(GrammarKind::kChoice, R"(["a", "ab"])"));
  guide.compute_mask();
  EXPECT_FALSE(guide.may_end());
  const std::vector<int32_t> ids = tokenizer().encode("ab", {.add_special_tokens = false}).value();
  ASSERT_EQ(ids.size(), 2U);
  guide.commit(ids[0]);
  guide.compute_mask();
  EXPECT_TRUE(guide.may_end());
  EXPECT_FALSE(guide.complete());
  guide.commit(ids[1]);
  EXPECT_TRUE(guide.complete());
  EXPECT_TRUE(allowed(guide).empty());
}

TEST(Guide, AllowsSpecialTokensOnlyByName) {
  Guide text(compiled(GrammarKind::kRegex, "(?s:.*)"));
  const std::vector<int32_t> all = allowed(text);
  EXPECT_GT(all.size(), 128U);
  EXPECT_FALSE(text.allows(300));
  EXPECT_FALSE(text.allows(301));
  EXPECT_TRUE(text.allows(302)) << "<tool> is an added token, but text";
  Guide spelled(compiled(GrammarKind::kLark, R"(start: "<|im_end|>")"));
  EXPECT_FALSE(std::ranges::binary_search(allowed(spelled), 301));
  Guide named(compiled(GrammarKind::kLark, R"(start: <|im_end|> "a")"));
  EXPECT_EQ(allowed(named), std::vector<int32_t>{301});
  for (int32_t id = 303; id < kVocab; id++) EXPECT_FALSE(text.allows(id)) << id;
}

// The property that forks, truncation and recomputation rest on.
TEST(Guide, IsAFunctionOfItsTokens) {
  const Grammar grammars[] = {
      compiled(GrammarKind::kJsonSchema, kPersonSchema), compiled(GrammarKind::kJsonObject, ""),
      compiled(GrammarKind::kRegex, "(a|b)*a(a|b){30}"),
      compiled(GrammarKind::kLark, "start: start \"+\" start | /[0-9]+/ | \"(\" start \")\"")};
  for (const Grammar& grammar : grammars) {
    for (uint32_t seed = 0; seed < 20; seed++) {
      std::mt19937 random(seed);
      Guide guide(grammar);
      std::vector<int32_t> ids;
      for (int step = 0; step < 30; step++) {
        const std::vector<int32_t> next = allowed(guide);
        Guide replayed(grammar);
        for (const int32_t id : ids) replayed.commit(id);
        ASSERT_EQ(allowed(replayed), next) << "after " << text_of(ids);
        ASSERT_EQ(replayed.may_end(), guide.may_end());
        ASSERT_EQ(replayed.complete(), guide.complete());
        if (next.empty()) break;
        Guide strayed(guide);  // a fork that goes another way changes nothing here
        strayed.commit(next[random() % next.size()]);
        strayed.compute_mask();
        EXPECT_EQ(allowed(guide), next);
        ids.push_back(next[random() % next.size()]);
        guide.commit(ids.back());
      }
    }
  }
}

std::string repeated(const std::string& text, int times) {
  std::string made;
  for (int i = 0; i < times; i++) made += text;
  return made;
}

std::string listed(const std::string& from, const std::string& pattern, int count,
                   const std::string& to) {
  std::string made = from;
  for (int i = 0; i < count; i++) {
    std::string item = pattern;
    for (size_t at; (at = item.find('#')) != std::string::npos;)
      item.replace(at, 1, std::to_string(i));
    made += (i > 0 ? "," : "") + item;
  }
  return made + to;
}

struct Bad {
  GrammarKind kind;
  std::string source;
  const char* says;
};

std::vector<Bad> bad_schemas() {
  const GrammarKind kind = GrammarKind::kJsonSchema;
  return {
      {kind, "", "it is not JSON"},
      {kind, "{\"type\":", "it is not JSON"},
      {kind, "[]", "a schema is an object"},
      {kind, "3", "a schema is an object"},
      {kind, "false", "allows nothing"},
      {kind, R"({"type": "strin"})", "strin"},
      {kind, R"({"properties": {"a": 3}})", "/properties/a: a schema is an object"},
      {kind, R"({"properties": {"a": {"minLegnth": 3}}})",
       "/properties/a: the keyword \"minLegnth\" is not supported"},
      {kind, R"({"not": {}})", "the keyword \"not\" is not supported"},
      {kind, R"({"type": "array", "uniqueItems": true})", "uniqueItems"},
      {kind, R"({"x-guidance": {"lenient": true}})", "x-guidance"},
      {kind, R"({"$ref": "https://example.com/s.json"})", "/$ref: only references into the schema"},
      {kind, R"({"$ref": "file:///etc/passwd"})", "/$ref: only references into the schema"},
      {kind, R"({"$ref": "#/$defs/a"})", "not found"},
      {kind, R"({"$ref": "#"})", "no text"},
      {kind, R"({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
                 "$ref": "#/$defs/a"})",
       "no text"},
      {kind, R"({"enum": []})", "/enum: it is empty"},
      {kind, R"({"type": "string", "minLength": 5, "maxLength": 2})", "minLength is more than"},
      {kind, R"({"type": "integer", "minimum": 5, "maximum": 2})", "minimum is more than"},
      {kind, R"({"type": "string", "pattern": "(?=a)b"})", "look"},
      {kind, R"({"type": "string", "format": "no-such-format"})", "no-such-format"},
      {kind, R"({"oneOf": [{"type": "string"}, {"type": "string", "maxLength": 3}]})", "oneOf"},
      {kind, R"({"type": "integer", "multipleOf": 1000000007})", "fuel"},
      {kind, repeated(R"({"items":)", 60000) + "{}" + repeated("}", 60000), "bytes"},
      {kind, repeated(R"({"items":)", 100) + "{}" + repeated("}", 100), "nest deeper"},
      {kind, repeated("[", 200) + repeated("]", 200), "recursion limit"},
      {kind, listed(R"({"properties":{)", R"("p#":{})", 1001, "}}"), "more than 1000 properties"},
      {kind, listed(R"({"enum":[)", "#", 5001, "]}"), "more than 5000 values"},
      {kind, listed(R"({"anyOf":[)", "{}", 1001, "]}"), "more than 1000 branches"},
      {kind,
       listed(R"({"allOf":[)",
              R"({"anyOf":[{"properties":{"a#":{"const":1}}},{"properties":{"b#":{"const":1}}}]})",
              20, "]}"),
       "too large"},
      {kind,
       listed(R"({"allOf":[)", R"j({"type":"string","pattern":"^(a|b)*a(a|b){#}$"})j", 20, "]}"),
       "patterns and formats"},
      {kind, R"({"type": "string", "pattern": ")" + repeated("a", 5000) + R"("})", "5000 bytes"},
  };
}

std::vector<Bad> bad_texts() {
  return {
      {GrammarKind::kRegex, "", "it is empty"},
      {GrammarKind::kRegex, "(?=a)b", "character 1: look-around"},
      {GrammarKind::kRegex, R"((a)\1)", "character 4: backreferences"},
      {GrammarKind::kRegex, "*a", "repetition operator"},
      {GrammarKind::kRegex, "(?:", "unclosed group"},
      {GrammarKind::kRegex, "[z-a]", "invalid character class range"},
      {GrammarKind::kRegex, R"(\p{Foo})", "Unicode property not found"},
      {GrammarKind::kRegex, R"([^\x00-\x{10FFFF}])", "no text"},
      {GrammarKind::kRegex, repeated("(", 300) + "a" + repeated(")", 300), "nested"},
      {GrammarKind::kRegex, repeated("a", 20000), "20000 bytes"},
      {GrammarKind::kRegex, "\xff", "UTF-8"},
      {GrammarKind::kChoice, "[]", "0 choices"},
      {GrammarKind::kChoice, "{}", "a list of texts"},
      {GrammarKind::kChoice, "[1]", "a list of texts"},
      {GrammarKind::kChoice, R"([""])", "is empty"},
      {GrammarKind::kChoice, listed("[", "\"c#\"", 1025, "]"), "1025 choices"},
      {GrammarKind::kLark, "", "start"},
      {GrammarKind::kLark, "root ::= \"a\"", "not Lark"},
      {GrammarKind::kLark, "start: other", "other"},
      {GrammarKind::kLark, "start: \"a", ""},
      {GrammarKind::kLark, "start: start \"a\"", "no text"},
      {GrammarKind::kLark, "start: \"\"", "but the empty one"},
      {GrammarKind::kLarkWithSchemas, "[", "an object"},
      {GrammarKind::kLarkWithSchemas,
       R"({"lark": "start: schema_0", "schemas": [["tool", {"not": {}}]]})", "tool: the schema"},
      {GrammarKind::kLark, "start: <|no_such_token|>", "no_such_token"},
      {GrammarKind::kLark, "start: " + repeated("(", 30000) + "\"a\"" + repeated(")", 30000),
       "nest deeper"},
      {GrammarKind::kLark, "start: %json {\"$ref\": \"https://example.com\"}", "ref"},
  };
}

TEST(Guide, RefusesWithTheReason) {
  std::vector<Bad> catalogue = bad_schemas();
  std::ranges::move(bad_texts(), std::back_inserter(catalogue));
  for (const Bad& bad : catalogue) {
    const auto grammar = factory().compile(bad.kind, bad.source);
    const std::string source = bad.source.substr(0, 80);
    ASSERT_FALSE(grammar) << source;
    EXPECT_NE(grammar.error().message().find(bad.says), std::string::npos)
        << source << ": " << grammar.error().message();
    EXPECT_LT(grammar.error().message().size(), 500U) << source;
  }
}

// What would be endless elsewhere: either it runs, or it fails with a reason.
TEST(Guide, OutlivesWhatExplodes) {
  const std::pair<GrammarKind, std::string> sources[] = {
      {GrammarKind::kRegex, "a{1,1000000}"},
      {GrammarKind::kRegex, "(a{1,100000}){1,100000}"},
      {GrammarKind::kRegex, "(a+)+"},
      {GrammarKind::kRegex, "(a|a)*b"},
      {GrammarKind::kRegex, "(a|b)*a(a|b){500}"},
      {GrammarKind::kRegex, R"((\w+\s){1,500})"},
      {GrammarKind::kLark, "start: T\nT: A & B\nA: /(a|b)*a(a|b){40}/\nB: /(a|b)*b(a|b){41}/"},
      {GrammarKind::kLark, "start: s\ns: s s s | \"a\" | /[a-z ]+/ | s \",\" s"},
      {GrammarKind::kLark, "start: e e e e e e e e e e \"x\"\ne: \"a\"? e? e?"},
      {GrammarKind::kJsonSchema, R"({"type": "array", "minItems": 1000000000})"},
      {GrammarKind::kJsonSchema, R"({"type": "string", "minLength": 1000000000})"},
      {GrammarKind::kJsonSchema,
       listed(R"({"$defs":{"d3000":{"type":"null"},)", R"("d#":{"anyOf":[{"$ref":"#/$defs/d0"}]})",
              900, R"(},"$ref":"#/$defs/d0"})")},
  };
  for (const auto& [kind, source] : sources) {
    const auto grammar = factory().compile(kind, source);
    if (!grammar) {
      EXPECT_FALSE(grammar.error().message().empty());
      continue;
    }
    Guide guide(*grammar);
    std::mt19937 random(1);
    for (int step = 0; step < 100; step++) {
      guide.compute_mask();
      if (guide.failure() != nullptr || guide.complete()) break;
      const std::vector<int32_t> next = allowed(guide);
      ASSERT_FALSE(next.empty()) << source.substr(0, 80);
      guide.commit(next[random() % next.size()]);
    }
  }
}

// Between its masks; and what was dropped to hold less is found again.
TEST(Guide, HoldsNoMoreThanItSays) {
  const std::pair<GrammarKind, std::string> sources[] = {
      {GrammarKind::kJsonSchema, kPersonSchema},
      {GrammarKind::kRegex, R"((\w+\s){1,500})"},
      {GrammarKind::kRegex, ".*a.{20}.*b.{20}.*c.{20}.*"},
      {GrammarKind::kRegex, "(.*[ae].{12})(.*[nt].{9})"},
      {GrammarKind::kRegex, R"(\p{L}{1,1000})"},
      {GrammarKind::kJsonSchema, listed(R"({"enum":[)", "\"an entry, number #\"", 5000, "]}")}};
  int shrunk = 0;
  for (const auto& [kind, source] : sources) {
    const Grammar grammar = compiled(kind, source);
    EXPECT_GT(grammar.bytes(), 1000);
    Guide guide(grammar);
    std::mt19937 random(1);
    std::vector<int32_t> ids;
    for (int64_t before = 0; ids.size() < 250; before = guide.bytes()) {
      guide.compute_mask();
      ASSERT_LE(guide.bytes(), grammar.guide_bytes(static_cast<int64_t>(ids.size()))) << source;
      if (guide.failure() != nullptr) break;
      const std::vector<int32_t> next = allowed(guide);
      if (next.empty()) break;
      if (guide.bytes() + (256 << 10) < before) {
        shrunk++;
        Guide replayed(grammar);
        for (const int32_t id : ids) replayed.commit(id);
        ASSERT_EQ(allowed(replayed), next);
      }
      ids.push_back(next[random() % next.size()]);
      guide.commit(ids.back());
    }
  }
  EXPECT_GT(shrunk, 0);
}

TEST(Guide, OwnsWhatItsGrammarWasGiven) {
  auto owned = std::make_shared<int>(7);
  const std::weak_ptr<int> seen = owned;
  std::optional<Grammar> copy;
  {
    const Grammar made = compiled(GrammarKind::kRegex, "ab").owning(std::exchange(owned, {}), 7);
    copy = made;
  }
  EXPECT_FALSE(seen.expired());
  Guide guide(*copy);
  EXPECT_EQ(text_of(allowed(guide)).substr(0, 1), "a");
  copy.reset();
  EXPECT_TRUE(seen.expired());
}

TEST(Guide, KeepsItsFailure) {
  // Behind the first token each of 3,000 places may begin the rest.
  Guide guide(compiled(GrammarKind::kLark, "start: \"a\"" + repeated(" o?", 3000) + "\no: \"b\""));
  const std::vector<int32_t> first = allowed(guide);
  ASSERT_FALSE(first.empty());
  guide.commit(first[0]);
  guide.compute_mask();
  ASSERT_NE(guide.failure(), nullptr);
  EXPECT_EQ(guide.failure()->code, Code::kResourceLimit) << guide.failure()->message();
  guide.commit(0);
  guide.compute_mask();
  EXPECT_TRUE(guide.has_mask());
  const Guide copy(guide);
  EXPECT_EQ(copy.failure()->message(), guide.failure()->message());
}

TEST(Guide, ReadsSentencePieceVocabularies) {
  const Tokenizer spm = Tokenizer::from_json(sentencepiece_json()).value();
  const auto made = GuideFactory::create(spm, spm.vocab_size());
  ASSERT_TRUE(made) << made.error().message();
  Guide guide(made->compile(GrammarKind::kRegex, "[a-z ]+é").value());
  std::mt19937 random(5);
  for (int step = 0; step < 200 && !guide.complete(); step++) {
    guide.compute_mask();
    ASSERT_EQ(guide.failure(), nullptr);
    std::vector<int32_t> next;
    for (int32_t id = 0; id < spm.vocab_size(); id++) {
      if (guide.allows(id)) next.push_back(id);
    }
    if (next.empty()) break;
    const int32_t id = next[random() % next.size()];
    EXPECT_FALSE(spm.is_special(id));
    guide.commit(id);
  }
  EXPECT_TRUE(guide.complete());
}

}  // namespace
}  // namespace strata::text
