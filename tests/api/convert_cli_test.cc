// `strata convert` as a user runs it, and every command on what it made; killed at any moment it is
// gone on with, and the file is the same as that of a run that was never disturbed.
#include <algorithm>
#include <chrono>
#include <thread>

#include "api/cli_fixture.h"

namespace strata::testing {
namespace {

class ConvertCli : public CliTest {
 protected:
  void TearDown() override {
    for (const char* name : {"m.pack", "m.pack.partial", "bad.pack"}) fs::remove(file(name));
  }
  static fs::path pack() { return file("m.pack"); }
  static fs::path partial() { return file("m.pack.partial"); }
  static Done convert(const fs::path& from, std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), {"convert", from, "--out", pack()});
    return strata(flags);
  }
  static void expect_refused(const Done& done, int exit_code, const std::string& part) {
    EXPECT_EQ(done.exit_code, exit_code) << done.errors;
    EXPECT_NE(done.errors.find(part), std::string::npos) << done.errors;
  }
  static std::string generate(const fs::path& from, std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), {"generate", from, "--prompt", "Hello", "--max-tokens", "8",
                                 "--threads", "1", "--json"});
    const Done done = strata(flags);
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    return done.out;
  }
  struct Kills {
    int killed = 0, gone_on = 0;
  };
  // Conversions of a model into what lies at pack().
  static Kills kill_and_go_on(const fs::path& from, const std::string& form) {
    Kills kills;
    const std::string whole = read_file(pack());
    // Later and later, until a run ends before its kill: moments all over a run on any disk.
    for (int delay_ms = 1;; delay_ms += 1 + delay_ms / 2) {
      fs::remove(pack());
      const pid_t child =
          start({binary(), "convert", from, "--out", pack(), "--compress", form}, "/dev/null");
      std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
      kill(child, SIGKILL);
      const bool finished = finish(child).exit_code == 0;
      if (fs::exists(pack())) {
        EXPECT_TRUE(read_file(pack()) == whole);
      }
      if (finished) break;
      kills.killed++;
      if (fs::exists(partial()) && fs::file_size(partial()) > 0) {
        // Between its last byte and its name it is whole.
        const Done used = strata({"inspect", partial()});
        EXPECT_TRUE(used.exit_code != 0 || read_file(partial()) == whole) << used.out;
      }
      // Every other time the next kill hits a run that goes on from this one.
      if (kills.killed % 2 == 1) continue;
      const Done rest = convert(from, {"--compress", form});
      EXPECT_EQ(rest.exit_code, 0) << rest.errors;
      if (rest.errors.find("from an earlier run") != std::string::npos) kills.gone_on++;
      EXPECT_TRUE(read_file(pack()) == whole) << form << " killed after " << delay_ms << " ms";
      EXPECT_FALSE(fs::exists(partial()));
    }
    return kills;
  }
};

TEST_F(ConvertCli, ThePackAloneCanBeUsedLikeItsFolder) {
  const Done done = convert(model());
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_TRUE(done.out.empty());
  EXPECT_NE(done.errors.find("m.pack: "), std::string::npos) << done.errors;
  EXPECT_NE(done.errors.find(" s to write, "), std::string::npos) << done.errors;
  EXPECT_FALSE(fs::exists(partial()));
  EXPECT_EQ(generate(pack()), generate(model()));
  EXPECT_EQ(generate(pack(), {"--chat"}), generate(model(), {"--chat"}));
  EXPECT_EQ(generate(model(), {"--speculative", pack()}), generate(model()));
}

TEST_F(ConvertCli, InspectShowsThePack) {
  ASSERT_EQ(convert(model()).exit_code, 0);
  const Done text = strata({"inspect", pack()});
  EXPECT_EQ(text.exit_code, 0) << text.errors;
  EXPECT_NE(text.out.find("a pack of "), std::string::npos) << text.out;
  const Json of_pack = Json::parse(strata({"inspect", pack(), "--json"}).out);
  Json of_folder = Json::parse(strata({"inspect", model(), "--json"}).out);
  EXPECT_TRUE(of_folder["pack"].is_null());
  EXPECT_EQ(of_pack["pack"]["units"], 10);
  EXPECT_EQ(of_pack["pack"]["layout"], "panels-1 exponents-1");
  for (const char* same : {"family", "parameters", "format", "weight_bytes", "weight_bytes_by_part",
                           "tokenizer", "chat_templates", "kv_groups"}) {
    EXPECT_EQ(of_pack[same], of_folder[same]) << same;
  }
}

TEST_F(ConvertCli, MistakesAreAnsweredWithTheFix) {
  expect_refused(strata({"convert", model()}), 64, "--out");
  expect_refused(convert(file("missing")), 66, "no such folder");
  expect_refused(strata({"convert", model(), "--out", file("no/such/m.pack")}), 66, "--out");
  ASSERT_EQ(convert(model()).exit_code, 0);
  const Done again = convert(model());
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_NE(again.errors.find("already the pack of this model"), std::string::npos);
  expect_refused(convert(model(), {"--dtype", "f32"}), 64, "--overwrite replaces it");
  expect_refused(convert(pack()), 64, "a pack, expected a model's folder");
  expect_refused(strata({"inspect", pack(), "--dtype", "f32"}), 64, "--dtype: got f32");
  EXPECT_EQ(convert(model(), {"--dtype", "f32", "--overwrite"}).exit_code, 0);
  EXPECT_EQ(generate(pack()), generate(model(), {"--dtype", "f32"}));
}

TEST_F(ConvertCli, ADamagedPackIsRefusedByEveryCommand) {
  ASSERT_EQ(convert(model()).exit_code, 0);
  const std::string whole = read_file(pack());
  const auto refused = [&](const std::string& bytes, const std::string& part) {
    std::ofstream(file("bad.pack"), std::ios::binary) << bytes;
    for (const char* command : {"generate", "inspect"}) {
      const Done done = strata({command, file("bad.pack")}, "Hello");
      expect_refused(done, 65, part);
      EXPECT_NE(done.errors.find("bad.pack"), std::string::npos) << done.errors;
    }
  };
  refused(whole.substr(0, 1000), "cut short inside its header");
  refused(whole.substr(0, 5000), "cut short");
  refused(whole.substr(0, whole.size() - 1), "cut short");
  std::string bytes = whole;
  bytes[4200] ^= 1;
  refused(bytes, "table is damaged");
  bytes = whole;
  bytes[whole.size() - 4096] ^= 1;
  std::ofstream(file("bad.pack"), std::ios::binary) << bytes;
  expect_refused(strata({"generate", file("bad.pack")}, "Hello"), 65,
                 "is damaged: its checksum is wrong");
}

// A kill while weights are looked at leaves nothing to go on with: of coded packs few moments do.
TEST_F(ConvertCli, KilledAtAnyMomentItIsGoneOnWith) {
  const fs::path small = folder() / "small";
  const fs::path tools = fs::path(environment("STRATA_SOURCE_DIR")) / "tools";
  ASSERT_EQ(
      run({"/usr/bin/env", "python3", tools / "make_random_model.py", "--shape", "small", small})
          .exit_code,
      0);
  ASSERT_EQ(convert(small).exit_code, 0);
  EXPECT_GT(kill_and_go_on(small, "exponents").killed, 0);
  ASSERT_EQ(convert(small, {"--compress", "none", "--overwrite"}).exit_code, 0);
  EXPECT_GT(kill_and_go_on(small, "none").gone_on, 0);
}

}  // namespace
}  // namespace strata::testing
