// Verdicts of the streaming reader, and that it agrees with the document parser on every small
// text.
#include "checkpoint/json_scanner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "checkpoint/test_folder.h"

namespace strata::checkpoint {
namespace {

Result<void> skip_document(const std::string& text) {
  const MemoryFile file(text);
  JsonScanner scanner(file, "f", 0, file.size());
  TRY(scanner.skip_value());
  return scanner.expect_end();
}

Result<std::string> string_of(const std::string& text, size_t max = JsonScanner::kNoLimit) {
  const MemoryFile file(text);
  JsonScanner scanner(file, "f", 0, file.size());
  std::string out;
  TRY(scanner.read_string(&out, max));
  TRY(scanner.expect_end());
  return out;
}

Result<int64_t> unsigned_of(const std::string& text) {
  const MemoryFile file(text);
  JsonScanner scanner(file, "f", 0, file.size());
  const int64_t value = TRY(scanner.read_unsigned());
  TRY(scanner.expect_end());
  return value;
}

// Compares the verdicts of both readers on every text of up to `longest` of the letters; returns
// how many are JSON.
size_t compare_all(std::string_view letters, size_t longest) {
  size_t accepted = 0;
  for (size_t length = 1; length <= longest; ++length) {
    std::vector<size_t> at(length, 0);
    for (bool more = true; more;) {
      std::string text;
      for (const size_t letter : at) text += letters[letter];
      const bool ours = skip_document(text).has_value();
      EXPECT_EQ(ours, parse_json(text, "f").has_value()) << text;
      accepted += ours;
      more = false;
      for (size_t i = 0; i < at.size() && !more; ++i) {
        at[i] = (at[i] + 1) % letters.size();
        more = at[i] != 0;
      }
    }
  }
  return accepted;
}

TEST(JsonScanner, AgreesWithTheDocumentParserOnAllShortTexts) {
  EXPECT_GT(compare_all("{}[],:\"a01-.e ", 4), 300u);
  EXPECT_GT(compare_all("{}[],:\"0", 6), 100u);
}

TEST(JsonScanner, StringsUnescape) {
  EXPECT_EQ(*string_of(R"("a\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00")"),
            "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(*string_of("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\""),
            "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf");
}

TEST(JsonScanner, BadStringsAreRefused) {
  for (const char* text : {"\"",
                           "\"a",
                           "\"\\\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\udc00\"",
                           "\"\\ud800\\ud800\"",
                           "\"\x01\"",
                           "\"\x1f\"",
                           "\"\n\"",
                           "\"\xff\"",
                           "\"\xc3\"",
                           "\"\xc3(\"",
                           "\"\xc0\xaf\"",
                           "\"\xe0\x80\xaf\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xf0\x80\x80\x80\"",
                           "\"\xf4\x90\x80\x80\"",
                           "\"\xf5\x80\x80\x80\"",
                           "\"\x80\""}) {
    EXPECT_FALSE(string_of(text)) << text;
  }
  EXPECT_FALSE(string_of(std::string("\"a\0b\"", 5)));
}

TEST(JsonScanner, StringLimitIsExact) {
  EXPECT_TRUE(string_of("\"abcd\"", 4));
  const auto over = string_of("\"abcde\"", 4);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::kResourceLimit);
}

TEST(JsonScanner, UnsignedNumbers) {
  EXPECT_EQ(*unsigned_of("0"), 0);
  EXPECT_EQ(*unsigned_of(" 9223372036854775807 "), INT64_MAX);
  for (const char* text : {"9223372036854775808", "18446744073709551617", "-1", "1.5", "1e3", "01",
                           "\"8\"", "", "+1", "0x1", "true"}) {
    EXPECT_FALSE(unsigned_of(text)) << text;
  }
}

TEST(JsonScanner, StringsAcrossWindows) {
  for (const size_t length : {65'530u, 65'533u, 65'534u, 65'535u, 65'536u, 200'000u}) {
    const std::string plain(length, 'x');
    EXPECT_EQ(*string_of(fmt::format("\"{0}\xc3\xa9\\n{0}\"", plain)),
              fmt::format("{0}\xc3\xa9\n{0}", plain));
  }
}

TEST(JsonScanner, DeepNestingIsRefusedNotRecursed) {
  EXPECT_TRUE(skip_document(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(skip_document(std::string(65, '[') + std::string(65, ']')));
  EXPECT_FALSE(skip_document(std::string(1'000'000, '[')));
}

TEST(JsonScanner, ErrorsNameTheByteOfTheFile) {
  const auto bad = skip_document("{\"a\": nope}");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message(),
            "f: at byte 10: not usable JSON: got nope, expected a number, true, false or null");
}

}  // namespace
}  // namespace strata::checkpoint
