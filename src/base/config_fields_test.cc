// What a field accepts, says and prints.
#include "base/config_fields.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "threads",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .unit = "threads",
     .min = 1,
     .max = 1024,
     .help = "compute threads"},
    {.name = "top-p",
     .kind = FieldKind::kNumber,
     .fallback = "1",
     .min = 0,
     .max = 1,
     .help = "share"},
    {.name = "dtype",
     .kind = FieldKind::kChoice,
     .fallback = "auto",
     .choices = "auto|f32|bf16",
     .help = "type"},
    {.name = "json", .kind = FieldKind::kSwitch, .help = "print JSON"},
    {.name = "out", .kind = FieldKind::kText, .unit = "FILE", .help = "where to"},
};

FieldValues values() { return FieldValues({kFields}); }

TEST(FieldValues, StartFromTheDefaults) {
  const FieldValues given = values();
  EXPECT_EQ(given.integer("threads"), std::nullopt);
  EXPECT_EQ(given.number("top-p"), 1.0);
  EXPECT_FALSE(given.is_on("json"));
  EXPECT_EQ(given.text("out"), "");
  EXPECT_FALSE(given.given("top-p"));
  EXPECT_EQ(given.find("nothing"), nullptr);
}

TEST(FieldValues, TakeWhatIsInRange) {
  FieldValues given = values();
  EXPECT_TRUE(given.set("threads", "2"));
  EXPECT_EQ(given.integer("threads"), 2);
  EXPECT_TRUE(given.set("threads", "auto"));
  EXPECT_EQ(given.integer("threads"), std::nullopt);
  EXPECT_TRUE(given.set("top-p", "0.9"));
  EXPECT_TRUE(given.given("top-p"));
  EXPECT_EQ(given.number("top-p"), 0.9);
  EXPECT_TRUE(given.set("json", "true"));
  EXPECT_TRUE(given.is_on("json"));
}

TEST(FieldValues, NameFlagValueAndRange) {
  FieldValues given = values();
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"threads", "0"},   {"threads", "1025"}, {"threads", "2.0"}, {"threads", ""},
      {"threads", "1e3"}, {"top-p", "1.01"},   {"top-p", "nan"},   {"top-p", "0.5x"},
      {"dtype", "f64"},   {"json", "yes"}};
  for (const auto& [name, text] : wrong) {
    const auto set = given.set(name, text);
    ASSERT_FALSE(set) << name << "=" << text;
    EXPECT_EQ(set.error().code, Code::kInvalidArgument);
    EXPECT_NE(set.error().message().find("--" + name), std::string::npos);
    EXPECT_FALSE(given.given(name));
  }
  EXPECT_EQ(given.set("threads", "0").error().message(),
            "--threads: got \"0\", expected an integer from 1 to 1024, or auto");
}

TEST(ClosestWord, FindsTyposAndNothingElse) {
  const std::vector<std::string> words = {"max-tokens", "max-num-seqs", "seed"};
  EXPECT_EQ(closest_word("max-token", words), "max-tokens");
  EXPECT_EQ(closest_word("sed", words), "seed");
  EXPECT_EQ(closest_word("frobnicate", words), "");
}

TEST(Help, ShowsDefaultAndUnit) {
  const std::string help = help_lines(kFields);
  EXPECT_NE(help.find("--threads N"), std::string::npos);
  EXPECT_NE(help.find("compute threads, in threads [auto]"), std::string::npos);
  EXPECT_NE(markdown_rows(kFields).find("| `--top-p` | `1` | a number from 0 to 1 | share |"),
            std::string::npos);
}

TEST(ParseSize, KnowsTheUnitsThatPeopleWrite) {
  const std::vector<std::pair<const char*, int64_t>> right = {
      {"0", 0},
      {"512", 512},
      {"1B", 1},
      {"1K", 1024},
      {"1KiB", 1024},
      {"1KB", 1000},
      {"8G", 8LL << 30},
      {"8GiB", 8LL << 30},
      {"8GB", 8'000'000'000},
      {"1.5GiB", 3LL << 29},
      {"2T", 2LL << 40},
      {"0.5M", 1 << 19},
  };
  for (const auto& [text, bytes] : right) EXPECT_EQ(parse_size(text), bytes) << text;
  for (const char* wrong : {"", "G", "-1", "1X", "1GiBB", "1GG", "1 G", "1e9x", "1iB", "1g",
                            "1..5G", "99999999T", "nan", "inf"}) {
    EXPECT_FALSE(parse_size(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace strata
