// What a configuration file may say, and what is refused with its line.
#include "apps/config/config_file.h"

#include <gtest/gtest.h>

namespace strata::apps {
namespace {

// "key@line=text" for each entry, or the message.
std::string parsed(const std::string& text) {
  const auto entries = parse_config(text, "f.yaml");
  if (!entries) return "! " + entries.error().message();
  std::string shown;
  for (const ConfigEntry& entry : *entries) {
    shown += (shown.empty() ? "" : " ") + entry.key + "@" + std::to_string(entry.line) + "=" +
             (entry.nested ? entry.nested->dump() : entry.text);
  }
  return shown;
}

TEST(ConfigFile, ReadsKeysValuesAndLines) {
  EXPECT_EQ(parsed(""), "");
  EXPECT_EQ(parsed("# nothing\n\n"), "");
  EXPECT_EQ(parsed("# flags\nport: 8080\nmax_num_seqs: 8\n\nhost: \"::1\"\n"),
            "port@2=8080 max-num-seqs@3=8 host@5=::1");
  EXPECT_EQ(parsed("---\njson: true\n..."), "json@2=true");
  EXPECT_EQ(parsed("{port: 1, host: a b}"), "port@1=1 host@1=a b");
  EXPECT_EQ(parsed("system: |\n  two\n  lines\nport: 1"), "system@1=two\nlines\n port@4=1");
}

TEST(ConfigFile, KeepsListsAndMaps) {
  EXPECT_EQ(parsed("stop: [END, \"7\", 7, 1.5, true, null]"),
            "stop@1=[\"END\",\"7\",7,1.5,true,null]");
  EXPECT_EQ(parsed("stop:\n- a\n- [b]\nport: 1"), "stop@1=[\"a\",[\"b\"]] port@4=1");
  EXPECT_EQ(parsed("logit_bias: {50: -100, b_c: 5}"), "logit-bias@1={\"50\":-100,\"b_c\":5}");
}

TEST(ConfigFile, NamesTheLineOfWhatIsWrong) {
  EXPECT_EQ(parsed("port: 1\nhost: a\nport: 2"), "! f.yaml:3: port: stands twice, first in line 1");
  EXPECT_EQ(parsed("max-num-seqs: 1\nmax_num_seqs: 2"),
            "! f.yaml:2: max-num-seqs: stands twice, first in line 1");
  EXPECT_EQ(parsed("host: a\nport:\n"), "! f.yaml:2: port: no value");
  EXPECT_EQ(parsed("- port"), "! f.yaml:1: a list, where \"flag: value\" belongs");
  EXPECT_EQ(parsed("port"), "! f.yaml:1: no \"flag: value\"");
  EXPECT_EQ(parsed("a: 1\n---\nb: 2"), "! f.yaml:2: a second document");
  EXPECT_EQ(parsed("a: 1\n? [b]\n: 2"), "! f.yaml:2: a key that is a list or a map");
  EXPECT_EQ(parsed("logit-bias: {a: 1, a: 2}"), "! f.yaml:1: a: stands twice");
  const auto broken = parse_config("a: 1\nb: [1, 2\n", "f.yaml");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Code::kInvalidData);
  EXPECT_TRUE(broken.error().message().starts_with("f.yaml:3: no YAML: "))
      << broken.error().message();
}

TEST(ConfigFile, RefusesWhatGrows) {
  EXPECT_EQ(parsed("a: &x [1, 2]\nb: [*x, *x]"),
            "! f.yaml:2: an alias (*name): write the value out");
  EXPECT_EQ(
      parsed("a: !!python/object 1"),
      "! f.yaml:1: a tag (tag:yaml.org,2002:python/object): values are what stands behind the "
      "flag");
  EXPECT_EQ(parsed("a: " + std::string(40, '[') + std::string(40, ']')),
            "! f.yaml:1: over 32 levels deep");
  for (const char* hostile : {"[", "{", "- ", "? ", "a: {"}) {
    std::string text;
    while (text.size() < 200'000) text += hostile;
    EXPECT_TRUE(parsed(text).starts_with("! f.yaml:")) << hostile;
  }
}

}  // namespace
}  // namespace strata::apps
