// Verdicts on documents that a model folder may hold, and the exact texts of getter failures.
#include "base/json.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

Json parsed(std::string_view text) {
  auto document = parse_json(text, "f.json");
  EXPECT_TRUE(document) << text;
  return document ? *document : Json();
}

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
  const auto document = parse_json(text, "f.json", limits);
  EXPECT_FALSE(document) << text;
  return document ? "accepted" : document.error().message();
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

template <class T>
std::string failure(const Result<T>& result) {
  return result ? "no failure" : result.error().message();
}

TEST(Json, KeepsOrderAndTypes) {
  const Json document = parsed(R"({"b": [1, -2, 3.5, true, null, "x"], "a": {"c": {}}})");
  EXPECT_EQ(document.dump(), R"({"b":[1,-2,3.5,true,null,"x"],"a":{"c":{}}})");
  EXPECT_EQ(document.begin().key(), "b");
}

TEST(Json, AcceptsScalarsAndSpaces) {
  EXPECT_EQ(parsed(" 1 "), 1);
  EXPECT_EQ(parsed("\"\\u00e9\\ud83d\\ude00\""), "\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_TRUE(parsed("[]").is_array());
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text :
       {"",     " ",          "{",     "[1,",     "{\"a\"}",     "{\"a\":}",   "{a:1}",
        "[1,]", "{\"a\":1,}", "'a'",   "nul",     "NaN",         "[Infinity]", "[-Infinity]",
        "[+1]", "[01]",       "[1.]",  "[.5]",    "[1e]",        "[0x10]",     "{} {}",
        "{}x",  "// c\n{}",   "[1] ]", "\"\\x\"", "\"\\ud800\"", "\"a\nb\""}) {
    EXPECT_TRUE(contains(refusal(text), "at byte")) << text;
  }
}

TEST(Json, SyntaxErrorsGiveTheByteAndWhatStandsThere) {
  EXPECT_EQ(refusal("{\"a\": tru}"),
            "f.json: not usable JSON at byte 9: a syntax error: got \"}\"");
  EXPECT_EQ(refusal("{\"a\": 1"),
            "f.json: not usable JSON at byte 7: a syntax error: got the end of the file");
}

TEST(Json, RefusesNulBomAndBadUtf8) {
  EXPECT_TRUE(contains(refusal(std::string_view("{}\0garbage", 10)), "byte 2: got a NUL byte"));
  EXPECT_TRUE(contains(refusal("\xef\xbb\xbf{}"), "byte order mark"));
  EXPECT_TRUE(contains(refusal(std::string_view("\xff\xfe{\0}\0", 6)), "byte"));
  EXPECT_TRUE(contains(refusal("\"\xc3(\""), "byte 2"));
  refusal("\"\xed\xa0\x80\"");      // a surrogate in UTF-8
  refusal("\"\xf5\x80\x80\x80\"");  // beyond U+10FFFF
  refusal("\"\xc0\xaf\"");          // overlong
}

TEST(Json, RefusesNumbersBeyondADouble) { EXPECT_TRUE(contains(refusal("[1e999]"), "no double")); }

TEST(Json, RefusesDuplicateKeysAtAnyDepth) {
  EXPECT_TRUE(contains(refusal(R"({"a":1,"b":2,"a":3})"), R"(two keys "a")"));
  EXPECT_TRUE(contains(refusal(R"([{"x":{"k":1,"k":1}}])"), R"(two keys "k")"));
  EXPECT_TRUE(contains(refusal("{\"a\":1,\"\\u0061\":2}"), "two keys"));
  parsed(R"([{"a":1},{"a":1}])");
}

TEST(Json, DepthLimitIsExact) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  parsed(nested(64));
  EXPECT_TRUE(contains(refusal(nested(65)), "nesting deeper than 64"));
  EXPECT_TRUE(contains(refusal(std::string(1'000'000, '[')), "nesting deeper"));
  std::string objects;
  for (int i = 0; i < 10'000; ++i) objects += "{\"a\":";
  EXPECT_TRUE(contains(refusal(objects), "nesting deeper"));
}

TEST(Json, ByteAndValueLimitsAreExact) {
  const JsonLimits limits{.max_bytes = 9, .max_depth = 4, .max_values = 4};
  EXPECT_TRUE(parse_json("[1, 2, 3]", "f", limits));
  EXPECT_TRUE(contains(refusal("[1, 2, 3] ", limits), "10 bytes"));
  EXPECT_TRUE(contains(refusal("[1,2,3,4]", limits), "more than 4 values"));
}

TEST(Json, ManyKeysAreNotQuadratic) {
  std::string text = "{";
  for (int i = 0; i < 150'000; ++i) {
    text += "\"k" + std::to_string(i) + "\":0,";
  }
  text.back() = '}';
  EXPECT_EQ(parsed(text).size(), 150'000u);
}

TEST(Json, ObjectsOnly) {
  EXPECT_TRUE(parse_json_object("{}", "f.json"));
  EXPECT_EQ(failure(parse_json_object("[]", "f.json")),
            "f.json: got an array of 0, expected a JSON object");
}

TEST(Getters, TextsNameKeyValueAndRange) {
  const Json object = parsed(R"({"num_hidden_layers": -1, "s": "32", "f": 32.0, "b": true})");
  EXPECT_EQ(failure(in_file("config.json", get_int(object, "num_hidden_layers", 1, 10000))),
            "config.json: num_hidden_layers: got -1, expected an integer in 1..10000");
  EXPECT_EQ(failure(get_int(object, "s", 1, 9)), "s: got \"32\", expected an integer in 1..9");
  EXPECT_EQ(failure(get_int(object, "f", 1, 99)), "f: got 32.0, expected an integer in 1..99");
  EXPECT_EQ(failure(get_int(object, "b", 0, 1)), "b: got true, expected an integer in 0..1");
  EXPECT_EQ(failure(get_int(object, "none", 0, 1)),
            "none: got nothing, expected an integer in 0..1");
}

TEST(Getters, IntegersAtTheirLimits) {
  const Json object = parsed(
      R"({"max": 9223372036854775807, "over": 9223372036854775808, "huge": 1e30,
          "wide": 100000000000000000000, "min": -9223372036854775808, "exp": 1e3, "zero": -0})");
  EXPECT_EQ(*get_int(object, "max", 0, INT64_MAX), INT64_MAX);
  EXPECT_EQ(*get_int(object, "min", INT64_MIN, 0), INT64_MIN);
  EXPECT_EQ(*get_int(object, "zero", 0, 0), 0);
  EXPECT_EQ(*get_int(object, "max", INT64_MAX, INT64_MAX), INT64_MAX);
  EXPECT_FALSE(get_int(object, "max", 0, INT64_MAX - 1));
  EXPECT_FALSE(get_int(object, "min", INT64_MIN + 1, 0));
  for (const char* key : {"over", "huge", "wide", "exp"}) {
    EXPECT_FALSE(get_int(object, key, INT64_MIN, INT64_MAX)) << key;
  }
}

TEST(Getters, DoublesTakeIntegersAndRanges) {
  const Json object = parsed(R"({"a": 2, "b": 0.5, "c": "0.5"})");
  EXPECT_EQ(*get_double(object, "a"), 2.0);
  EXPECT_EQ(*get_double(object, "b", 0.5, 0.5), 0.5);
  EXPECT_EQ(failure(get_double(object, "b", 1, 2)), "b: got 0.5, expected a number in 1..2");
  EXPECT_EQ(failure(get_double(object, "b", 1)), "b: got 0.5, expected a number >= 1");
  EXPECT_EQ(failure(get_double(object, "c")), "c: got \"0.5\", expected a number");
}

TEST(Getters, ArraysNameTheElement) {
  const Json object = parsed(R"({"eos": [1, 2, "3"], "one": 5, "d": [1, 2.5], "s": ["x", null]})");
  EXPECT_EQ(failure(get_int_array(object, "eos", 0, 9)),
            "eos[2]: got \"3\", expected an integer in 0..9");
  EXPECT_EQ(failure(get_int_array(object, "one", 0, 9)), "one: got 5, expected an array");
  EXPECT_EQ(*get_double_array(object, "d"), (std::vector<double>{1, 2.5}));
  EXPECT_EQ(failure(get_string_array(object, "s")), "s[1]: got null, expected a string");
}

TEST(Getters, OptionalOnesStillCheckTypes) {
  const Json object = parsed(R"({"n": null, "w": [], "o": {}, "b": false, "t": "x"})");
  EXPECT_EQ(*optional_int(object, "none", 0, 9), std::nullopt);
  EXPECT_EQ(*optional_int(object, "n", 0, 9), std::nullopt);
  EXPECT_FALSE(optional_int(object, "w", 0, 9));
  EXPECT_EQ(*optional_bool(object, "b"), false);
  EXPECT_FALSE(optional_bool(object, "t"));
  EXPECT_EQ(*optional_string(object, "t"), "x");
  EXPECT_FALSE(optional_double(object, "t"));
  EXPECT_EQ(*optional_object(object, "n"), nullptr);
  EXPECT_TRUE((*optional_object(object, "o"))->is_object());
  EXPECT_FALSE(optional_array(object, "o"));
  EXPECT_TRUE((*optional_array(object, "w"))->empty());
  EXPECT_EQ(*optional_int_array(object, "none", 0, 9), std::nullopt);
  EXPECT_TRUE((*optional_double_array(object, "w"))->empty());
  EXPECT_FALSE(optional_string_array(object, "t"));
}

TEST(Getters, NullIsNotAValueOfRequiredKeys) {
  const Json object = parsed(R"({"n": null})");
  EXPECT_EQ(failure(get_bool(object, "n")), "n: got null, expected true or false");
  EXPECT_FALSE(get_object(object, "n"));
  EXPECT_FALSE(get_string(parsed("[]"), "n"));
}

TEST(Excerpt, CutsAtACharacter) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "\xc3\xa9";
  const std::string excerpt = json_excerpt(Json(text));
  EXPECT_EQ(excerpt.size(), 59u + 3u);
  EXPECT_EQ(json_excerpt(Json("bad \xff byte")), "\"bad \xef\xbf\xbd byte\"");
}

}  // namespace
}  // namespace strata
