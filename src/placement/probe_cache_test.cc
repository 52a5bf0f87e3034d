// What was saved is found again; whatever else the file holds counts as nothing.
#include "placement/probe_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/fault_env.h"

namespace strata::placement {
namespace {

class ProbeCacheTest : public ::testing::Test {
 protected:
  ProbeCacheTest() {
    std::string pattern = ::testing::TempDir() + "/probes_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/strata/probes.json";
  }
  ~ProbeCacheTest() override { std::filesystem::remove_all(folder_); }

  static Probe probe(double value) {
    return {.unix_time_s = 1'763'843'460, .what = "a disk", .values = {{"speed", value}}};
  }
  void write(const std::string& text) {
    std::filesystem::create_directories(folder_ + "/strata");
    std::ofstream(path_) << text;
  }

  std::string folder_, path_;
};

TEST_F(ProbeCacheTest, WhatWasSavedIsFound) {
  ProbeCache first(real_env(), path_);
  EXPECT_FALSE(first.find("disk"));
  ASSERT_TRUE(first.save("disk", probe(1.5e9)));
  ASSERT_TRUE(first.save("compute", probe(3)));
  ASSERT_TRUE(first.save("disk", probe(2e9)));
  const ProbeCache again(real_env(), path_);
  const auto found = again.find("disk");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value("speed"), 2e9);
  EXPECT_EQ(found->value("other"), 0);
  EXPECT_EQ(found->what, "a disk");
  EXPECT_EQ(found->unix_time_s, 1'763'843'460);
  EXPECT_TRUE(again.find("compute"));
  std::ifstream file(path_);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(text.find("\"measured\": \"2025-11-22 20:31 UTC\""), std::string::npos) << text;
}

TEST_F(ProbeCacheTest, DamagedFilesHoldNothingAndAreWrittenAnew) {
  for (
      const char* text :
      {"", "{", "[]", "{\"version\":1}", "{\"version\":2,\"probes\":[]}",
       R"({"version":1,"probes":[{"key":"disk"}]})",
       R"({"version":1,"probes":[{"key":"disk","unix_time_s":1,"what":"","values":{"speed":-1}}]})",
       R"({"version":1,"probes":[{"key":"disk","unix_time_s":1,"what":"","values":{"speed":"1"}}]})",
       R"({"version":1,"probes":[{"key":"disk","unix_time_s":-1,"what":"","values":{}}]})"}) {
    write(text);
    ProbeCache cache(real_env(), path_);
    EXPECT_FALSE(cache.find("disk")) << text;
    ASSERT_TRUE(cache.save("disk", probe(1)));
    EXPECT_TRUE(ProbeCache(real_env(), path_).find("disk")) << text;
  }
}

TEST_F(ProbeCacheTest, NumbersThatSayNothingSpoilNoOthers) {
  Probe odd = probe(1);
  odd.values.insert(odd.values.end(), {{"none", 0}, {"endless", INFINITY}, {"odd", NAN}});
  ASSERT_TRUE(ProbeCache(real_env(), path_).save("disk", odd));
  const auto found = ProbeCache(real_env(), path_).find("disk");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->values.size(), 1u);
}

TEST_F(ProbeCacheTest, TheOldestGoesWhereThereAreTooMany) {
  ProbeCache cache(real_env(), path_);
  for (size_t i = 0; i <= ProbeCache::kMostProbes; i++) {
    ASSERT_TRUE(cache.save(std::to_string(i), probe(1)));
  }
  const ProbeCache again(real_env(), path_);
  EXPECT_FALSE(again.find("0"));
  EXPECT_TRUE(again.find("1"));
}

TEST_F(ProbeCacheTest, AWriteThatFailsLeavesTheFileAsItWas) {
  ASSERT_TRUE(ProbeCache(real_env(), path_).save("disk", probe(1)));
  bool failed = true;
  for (int64_t call = 0; failed; call++) {
    FaultEnv env(real_env(), {.kind = FaultPlan::Kind::kNoSpace, .fail_call = call});
    ProbeCache cache(env, path_);
    failed = !cache.save("disk", probe(2)).has_value();
    const auto found = ProbeCache(real_env(), path_).find("disk");
    ASSERT_TRUE(found) << call;
    EXPECT_EQ(found->value("speed"), failed ? 1 : 2) << call;
    ASSERT_LT(call, 50);
  }
}

TEST_F(ProbeCacheTest, LiesInTheUsersCacheFolder) {
  FaultEnv env(real_env());
  env.set_env("XDG_CACHE_HOME", "/cache");
  env.set_env("HOME", "/users/one");
  EXPECT_EQ(ProbeCache::default_path(env), "/cache/strata/probes.json");
  env.set_env("XDG_CACHE_HOME", "relative");
  EXPECT_EQ(ProbeCache::default_path(env), "/users/one/.cache/strata/probes.json");
  env.set_env("XDG_CACHE_HOME", std::nullopt);
  EXPECT_EQ(ProbeCache::default_path(env), "/users/one/.cache/strata/probes.json");
  env.set_env("HOME", std::nullopt);
  EXPECT_EQ(ProbeCache::default_path(env), "");
  ProbeCache nowhere(env, "");
  EXPECT_TRUE(nowhere.save("disk", probe(1)));
  EXPECT_TRUE(nowhere.find("disk"));
}

}  // namespace
}  // namespace strata::placement
