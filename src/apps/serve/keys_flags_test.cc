// Lines of a file of keys: those of today stay what they are, limits are read behind them.
#include "apps/serve/keys_flags.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "base/fault_env.h"

namespace strata::apps {
namespace {

class KeysFlagsTest : public ::testing::Test {
 protected:
  ~KeysFlagsTest() override { std::remove(path_.c_str()); }
  Result<server::ApiKeys> read(const std::string& lines,
                               const std::vector<std::pair<std::string, std::string>>& flags = {}) {
    std::ofstream(path_) << lines;
    FieldValues values({keys_fields()});
    EXPECT_TRUE(values.set("api-key-file", path_));
    for (const auto& [name, value] : flags) EXPECT_TRUE(values.set(name, value)) << name;
    return read_keys(env_, values);
  }
  server::KeyLimit limit(const server::ApiKeys& keys, const std::string& key) {
    const auto found = keys.find(key);
    EXPECT_TRUE(found) << key;
    return found ? keys.limits()[*found] : server::KeyLimit{};
  }
  std::string fault(const std::string& lines) {
    const auto keys = read(lines);
    return keys ? "taken" : keys.error().message();
  }

  FaultEnv env_{real_env()};
  const std::string path_ = ::testing::TempDir() + "strata_keys_" + std::to_string(::getpid());
};

TEST_F(KeysFlagsTest, LinesWithoutLimitsAreKeysAsTheyStand) {
  const auto keys = read("first\r\n\n  two words \nabc==\nx y==\nq A=1\nsk-a_b=\nlast");
  ASSERT_TRUE(keys) << keys.error().message();
  for (const char* key : {"first", "  two words", "abc==", "x y==", "q A=1", "sk-a_b=", "last"}) {
    EXPECT_FALSE(limit(*keys, key).any()) << key;
  }
  EXPECT_EQ(keys->limits().size(), 7U);
}

TEST_F(KeysFlagsTest, LimitsStandBehindAKeyAndBeforeThoseOfFlags) {
  const auto keys = read("a rpm=60\nb  tpm=1000\tmax_parallel_requests=4 \nc rpm=none\nd",
                         {{"rpm", "10"}, {"api-key", "e,a"}});
  ASSERT_TRUE(keys) << keys.error().message();
  EXPECT_EQ(keys->limits().size(), 5U) << "a key that stands twice is one";
  EXPECT_EQ(limit(*keys, "a").requests_per_minute, 60);
  EXPECT_EQ(limit(*keys, "b").requests_per_minute, 10);
  EXPECT_EQ(limit(*keys, "b").tokens_per_minute, 1000);
  EXPECT_EQ(limit(*keys, "b").parallel_requests, 4);
  EXPECT_FALSE(limit(*keys, "c").any());
  EXPECT_EQ(limit(*keys, "d").requests_per_minute, 10);
  EXPECT_EQ(limit(*keys, "e").requests_per_minute, 10);
}

TEST_F(KeysFlagsTest, NamesTheLineAndNeverTheKey) {
  for (const auto& [lines, part] : std::vector<std::pair<std::string, std::string>>{
           {"ok\nsecret rmp=60", "rpm, tpm or max_parallel_requests"},
           {"ok\nsecret rpm=0", "rpm"},
           {"ok\nsecret rpm=60k", "60k"},
           {"ok\nsecret tpm=10000000000", "1000000000"},
           {"ok\nrpm=60 tpm=5", "no key before"}}) {
    const std::string said = fault(lines);
    EXPECT_TRUE(said.contains(", line 2: ")) << said;
    EXPECT_TRUE(said.contains(part)) << said;
    EXPECT_FALSE(said.contains("secret")) << said;
  }
  EXPECT_TRUE(fault("\n \r\n").contains("no key"));
}

}  // namespace
}  // namespace strata::apps
