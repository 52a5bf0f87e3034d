// Both ways to ask, every wrong member, and what may not stand together.
#include "frontend/structured.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "text/test_support.h"

namespace strata::frontend {
namespace {

const text::Tokenizer& tokenizer() {
  static const text::Tokenizer kTokenizer =
      text::Tokenizer::from_json(text::byte_level_json()).value();
  return kTokenizer;
}

std::vector<int32_t> ids_of(const char* text) {
  return tokenizer().encode(text, {.add_special_tokens = false}).value();
}

TextCodec codec() {
  checkpoint::ModelDocuments documents;
  documents.tokenizer = text::byte_level_json();
  return TextCodec::create(documents, 320).value();
}

Result<std::optional<text::Grammar>> read(const std::string& fields) {
  static const TextCodec kCodec = codec();
  return read_grammar(parse_json(fields, "test").value(), kCodec);
}

// The ids that may come first, as text.
std::string first_characters(const std::string& fields) {
  const auto grammar = read(fields);
  EXPECT_TRUE(grammar) << fields << ": " << grammar.error().message();
  if (!grammar || !*grammar) return "anything";
  text::Guide guide(**grammar);
  guide.compute_mask();
  std::string made;
  for (int32_t id = 0; id < 256; id++) {
    const std::string text = tokenizer().decode(std::vector{id}).value();
    if (guide.allows(id) && text.size() == 1) made += text;
  }
  return made;
}

TEST(Structured, ReadsEveryForm) {
  EXPECT_EQ(first_characters("{}"), "anything");
  EXPECT_EQ(first_characters(R"({"structured_outputs": null, "response_format": null})"),
            "anything");
  EXPECT_EQ(first_characters(R"({"structured_outputs": {"regex": "x|y"}})"), "xy");
  EXPECT_EQ(first_characters(R"({"structured_outputs": {"choice": ["no", "yes"], "json": null}})"),
            "ny");
  EXPECT_EQ(first_characters(R"({"structured_outputs": {"grammar": "start: \"q\" \"r\""}})"), "q");
  EXPECT_EQ(first_characters(R"({"structured_outputs": {"json_object": true}})"), "{");
  EXPECT_EQ(first_characters(R"({"structured_outputs": {"json": {"type": "array"}}})"), "[");
  EXPECT_EQ(first_characters(R"({"structured_outputs": {"json": "{\"type\": \"array\"}"}})"), "[");
  EXPECT_EQ(first_characters(R"({"response_format": {"type": "text"}})"), "anything");
  EXPECT_EQ(first_characters(R"({"response_format": {"type": "json_object"}})"), "{");
  EXPECT_EQ(first_characters(R"({"response_format": {"type": "json_schema", "json_schema": {
      "name": "a-1_B", "strict": true, "schema": {"type": "boolean"}}}})"),
            "ft");
}

// Which of "a" and "b" an object with both properties may begin with.
std::string first_property(const std::string& properties) {
  const std::string schema =
      R"({"type": "object", "required": ["b", "a"], "properties": )" + properties + "}";
  const auto grammar = read(R"({"structured_outputs": {"json": )" + schema + "}}");
  text::Guide guide(grammar->value());
  for (const int32_t id : ids_of("{\"")) guide.commit(id);
  guide.compute_mask();
  EXPECT_EQ(guide.failure(), nullptr);
  std::string made;
  for (const char* name : {"a", "b"}) {
    if (guide.allows(ids_of(name)[0])) made += name;
  }
  return made;
}

TEST(Structured, KeepsTheOrderOfProperties) {
  EXPECT_EQ(first_property(R"({"b": {}, "a": {}})"), "b");
  EXPECT_EQ(first_property(R"({"a": {}, "b": {}})"), "a");
}

TEST(Structured, NamesWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"structured_outputs": 3})", "structured_outputs"},
      {R"({"structured_outputs": {}})", "structured_outputs: got nothing in it"},
      {R"({"structured_outputs": {"regx": "a"}})", "structured_outputs.regx: expected one of json"},
      {R"({"structured_outputs": {"structural_tag": {}}})", "structured_outputs.structural_tag"},
      {R"({"structured_outputs": {"regex": "a", "choice": ["a"]}})",
       "structured_outputs.choice: got beside structured_outputs.regex"},
      {R"({"structured_outputs": {"regex": 3}})", "structured_outputs.regex: got 3"},
      {R"({"structured_outputs": {"regex": "("}})", "structured_outputs.regex: regular expression"},
      {R"({"structured_outputs": {"json": [1]}})", "structured_outputs.json"},
      {R"({"structured_outputs": {"json": "{"}})", "structured_outputs.json: it is not JSON"},
      {R"({"structured_outputs": {"json": {"type": "x"}}})", "structured_outputs.json: Invalid"},
      {R"({"structured_outputs": {"choice": "a"}})", "structured_outputs.choice: got \"a\""},
      {R"({"structured_outputs": {"choice": [1]}})", "structured_outputs.choice: it must be"},
      {R"({"structured_outputs": {"grammar": []}})", "structured_outputs.grammar"},
      {R"({"structured_outputs": {"json_object": false}})", "structured_outputs.json_object"},
      {R"({"response_format": "json"})", "response_format"},
      {R"({"response_format": {}})", "response_format: type"},
      {R"({"response_format": {"type": "xml"}})", "response_format.type: got \"xml\""},
      {R"({"response_format": {"type": "json_schema"}})", "response_format: json_schema"},
      {R"({"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}})", "schema"},
      {R"({"response_format": {"type": "json_schema", "json_schema": {"name": "a b",
           "schema": {}}}})",
       "1 to 64 letters"},
      {R"({"response_format": {"type": "json_schema", "json_schema": {"name": "a",
           "strict": 1, "schema": {}}}})",
       "strict"},
      {R"({"response_format": {"type": "json_schema", "json_schema": {"name": "a",
           "schema": {"not": {}}}}})",
       "response_format.json_schema.schema: the schema: the keyword \"not\""},
      {R"({"response_format": {"type": "json_object"}, "structured_outputs": {"regex": "a"}})",
       "structured_outputs and response_format: got both"},
  };
  for (const auto& [fields, says] : cases) {
    const auto grammar = read(fields);
    ASSERT_FALSE(grammar) << fields;
    EXPECT_NE(grammar.error().message().find(says), std::string::npos)
        << fields << ": " << grammar.error().message();
  }
}

TEST(Structured, NeedsATokenizer) {
  const TextCodec none = TextCodec::create({}, 320).value();
  const auto grammar =
      read_grammar(parse_json(R"({"structured_outputs": {"regex": "a"}})", "test").value(), none);
  ASSERT_FALSE(grammar);
  EXPECT_EQ(grammar.error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace strata::frontend
