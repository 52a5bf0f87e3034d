// `strata plan` as a user or a script runs it, and the table that every run prints: what is planned
// is what is held, bad flags name their fix, probes are kept and never trusted blindly.
#include <algorithm>
#include <cmath>

#include "api/cli_fixture.h"

namespace strata::testing {
namespace {

class PlanCli : public CliTest {
 protected:
  static Done plan(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "plan");
    return strata(arguments);
  }
  static Json plan_json(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const Done done = plan(arguments);
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    return Json::parse(done.out, nullptr, false);
  }
  static Json source(const Json& planned, const std::string& name) {
    for (const Json& one : planned["prices"]["sources"]) {
      if (one["name"] == name) return one;
    }
    return {};
  }
  static std::string refusal(std::vector<std::string> arguments, int exit_code) {
    const Done done = plan(std::move(arguments));
    EXPECT_EQ(done.exit_code, exit_code) << done.errors;
    EXPECT_TRUE(done.out.empty()) << done.out;
    EXPECT_EQ(std::ranges::count(done.errors, '\n'), 1) << done.errors;
    return done.errors;
  }
  static size_t count(const std::string& text, const std::string& what) {
    size_t found = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
      found++;
    return found;
  }
};

TEST_F(PlanCli, SaysWhatARunTakesAndWhereThatIsFrom) {
  // A program with sanitizers takes 250 MB of it.
  const Json made = plan_json({"pebble", "--weights-on", "disk", "--memory", "400MiB",
                               "--max-num-seqs", "8", "--max-model-len", "1024"});
  int64_t sum = 0;
  for (const auto& [tag, bytes] : made["memory_bytes"].items()) sum += bytes.get<int64_t>();
  EXPECT_EQ(sum, made["memory_sum_bytes"]);
  EXPECT_LE(sum, 400 << 20);
  EXPECT_EQ(made["ceiling_bytes"], 400 << 20);
  EXPECT_GT(made["streamed_bytes"], 0);
  EXPECT_LT(made["residents"], made["units"]);
  EXPECT_EQ(made["max_model_len"], 1024);
  EXPECT_GE(made["full_sequences"], 1);
  EXPECT_EQ(made["context_tokens"], 512);
  EXPECT_GT(made["one_sequence"]["seconds"], 0.0);
  EXPECT_EQ(made["full_batch"]["sequences"], 8);
  const std::string bottleneck = made["one_sequence"]["bottleneck"];
  EXPECT_TRUE(bottleneck == "disk" || bottleneck == "computing");
  EXPECT_GE(made["as_pack"]["tokens_per_s"], made["one_sequence"]["tokens_per_s"]);
  EXPECT_GT(made["prices"]["disk_bytes_per_s"], 0.0);
  EXPECT_NE(source(made, "disk")["what"].get<std::string>().find("model.safetensors"),
            std::string::npos);
  const Done text = plan({"pebble", "--weights-on", "disk", "--memory", "400MiB"});
  EXPECT_EQ(text.exit_code, 0);
  for (const char* row : {"memory ", "  ring ", "disk ", "one sequence ", "one more GiB ",
                          "bottleneck", "as a pack ", "measured "}) {
    EXPECT_NE(text.out.find(row), std::string::npos) << row << "\n" << text.out;
  }
}

TEST_F(PlanCli, ProbesAreKeptUntilAskedForAgain) {
  const std::vector<std::string> flags = {model(), "--weights-on", "disk"};
  fs::remove_all(file("cache"));
  const Json first = plan_json(flags), second = plan_json(flags);
  for (const char* name : {"disk", "compute"}) {
    EXPECT_EQ(source(first, name)["cached"], false) << first.dump(2);
    EXPECT_EQ(source(second, name)["cached"], true) << second.dump(2);
    EXPECT_EQ(source(second, name)["measured"], source(first, name)["measured"]);
  }
  EXPECT_EQ(first["prices"]["disk_bytes_per_s"], second["prices"]["disk_bytes_per_s"]);
  std::vector<std::string> anew = flags;
  anew.emplace_back("--probe-again");
  EXPECT_EQ(source(plan_json(anew), "disk")["cached"], false);
  std::ofstream(file("cache") / "strata" / "probes.json") << "{\"version\":1,";
  EXPECT_EQ(source(plan_json(flags), "disk")["cached"], false) << "a damaged file was trusted";
  EXPECT_EQ(source(plan_json(flags), "disk")["cached"], true) << "it was not written anew";
}

TEST_F(PlanCli, NothingIsPromisedThatCouldNotBeMeasured) {
  // A cache that cannot be written costs the time to measure, nothing else.
  std::ofstream(file("nowhere")) << "";
  const Done kept = run({"/usr/bin/env", "XDG_CACHE_HOME=" + file("nowhere").string(), binary(),
                         "plan", model(), "--weights-on", "disk", "--json"});
  EXPECT_EQ(kept.exit_code, 0) << kept.errors;
  EXPECT_FALSE(Json::parse(kept.out)["one_sequence"].is_null());
  EXPECT_NE(kept.errors.find("probes are not kept"), std::string::npos) << kept.errors;
  // No run measures for a model that it holds in memory.
  fs::remove_all(file("cache"));
  const Done resident = strata({"generate", model(), "--prompt", "a", "--max-tokens", "2"});
  EXPECT_EQ(resident.exit_code, 0) << resident.errors;
  EXPECT_EQ(count(resident.errors, "plan: "), 1u) << resident.errors;
  EXPECT_EQ(resident.errors.find("tokens/s"), std::string::npos) << resident.errors;
  EXPECT_FALSE(fs::exists(file("cache")));
}

TEST_F(PlanCli, WhatIsPlannedIsWhatARunHolds) {
  ASSERT_EQ(strata({"convert", "pebble", "--out", file("pebble.pack")}).exit_code, 0);
  for (const std::string& from : {std::string("pebble"), file("pebble.pack").string()}) {
    // Enough for a pool of full length, also beside a program with sanitizers.
    const std::vector<std::string> flags = {"--weights-on", "disk", "--memory",       "600MiB",
                                            "--threads",    "2",    "--max-num-seqs", "8"};
    std::vector<std::string> all = {from};
    all.insert(all.end(), flags.begin(), flags.end());
    const Json planned = plan_json(all);
    all.insert(all.begin(), "generate");
    all.insert(all.end(), {"--prompt", "Hello", "--max-tokens", "8", "--ignore-eos", "--stats",
                           file("stats.json")});
    const Done ran = strata(all);
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json held = Json::parse(read_file(file("stats.json")))["memory_bytes"];
    for (const char* tag : {"weights", "ring", "KV", "activations", "logits"}) {
      const double said = planned["memory_bytes"][tag], is = held[tag];
      // The pool is what the program leaves, which differs by some pages from run to run: a slab.
      const double slab = tag == std::string_view("KV") ? 2 << 20 : 0;
      EXPECT_LE(std::abs(said - is), 0.03 * is + slab)
          << from << " " << tag << " " << said << " " << is;
    }
    EXPECT_GE(planned["memory_bytes"]["text"], held["text"]);
    EXPECT_NE(ran.errors.find("plan: 0 of "), std::string::npos) << ran.errors;
    EXPECT_NE(ran.errors.find("predicted"), std::string::npos) << ran.errors;
    EXPECT_NE(ran.errors.find("memory planned / held: weights"), std::string::npos) << ran.errors;
  }
}

TEST_F(PlanCli, CeilingsThatCannotBeAreRefusedWithOnesThatCan) {
  for (const char* size : {"0", "-5", "lots", "1.5.2G", "3XB", "8MiB", ""}) {
    const std::string text = refusal({"pebble", "--memory", size}, 64);
    EXPECT_NE(text.find("--memory"), std::string::npos) << text;
    EXPECT_NE(text.find("8GiB"), std::string::npos) << text;
  }
  const std::string above = refusal({"pebble", "--memory", "900TiB"}, 64);
  EXPECT_NE(above.find("of this machine"), std::string::npos) << above;
  const std::string far = refusal({"pebble", "--memory", "40MiB", "--weights-on", "disk"}, 71);
  // What does by a little: other settings do as well. The program's own share differs by build.
  const int does = std::stoi(far.substr(far.find("--memory ", far.find('(')) + 9));
  const std::string little = std::to_string(does - 8) + "MiB";
  const std::string near = refusal({"pebble", "--memory", little, "--weights-on", "disk"}, 71);
  for (const std::string& below : {far, near}) {
    const size_t at = below.find("--memory ", below.find('(')) + 9;
    const std::string named = below.substr(at, below.find_first_of(";)", at) - at);
    EXPECT_EQ(plan({"pebble", "--memory", named, "--weights-on", "disk"}).exit_code, 0) << below;
  }
  EXPECT_NE(near.find("any one of: --memory "), std::string::npos) << near;
  EXPECT_EQ(count(near, "; --"), 2u) << near;
  EXPECT_NE(
      refusal({"pebble", "--weights-on", "disk", "--ring-bytes", "1MiB"}, 64).find("--ring-bytes"),
      std::string::npos);
}

}  // namespace
}  // namespace strata::testing
