// Logits of pebble over 1,000 tokens through the real program, once with all weights in memory and
// then under twenty other plans: what stays in memory, the ring, how it reads, folder, pack or
// coded pack, threads, chunks. Every bit must be the same. Pebble's embedding is its head; that of
// a small model with a head of its own is gathered from a table that nothing else reads.
#include <array>
#include <random>

#include "api/cli_fixture.h"

namespace strata::testing {
namespace {

constexpr int kPrompt = 990, kTokens = 11, kPlans = 20;

class PlanExactness : public CliTest {
 protected:
  static fs::path pebble() { return fs::path(environment("STRATA_SOURCE_DIR")) / "models/pebble"; }
  static std::string logits(const fs::path& model, const std::vector<std::string>& flags) {
    const fs::path folder = file("logits");
    fs::remove_all(folder);
    std::vector<std::string> words = {"generate",
                                      model,
                                      "--prompts",
                                      file("ids.jsonl"),
                                      "--logits",
                                      folder,
                                      "--max-tokens",
                                      std::to_string(kTokens),
                                      "--ignore-eos",
                                      "--temperature",
                                      "0"};
    words.insert(words.end(), flags.begin(), flags.end());
    const Done done = strata(words);
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    const bool streams = done.errors.find("weights-on disk") != std::string::npos;
    EXPECT_EQ(streams, !flags.empty()) << done.errors;
    return read_file(folder / "long.npy");
  }
};

TEST_F(PlanExactness, RowsOfAnUntiedEmbeddingAreTheSameFromTheDisk) {
  const fs::path tools = fs::path(environment("STRATA_SOURCE_DIR")) / "tools";
  const fs::path small = file("tiny"), pack = file("tiny.pack"), coded = file("tiny-coded.pack");
  // Whole panels of the head, so that it is coded too.
  ASSERT_EQ(run({"/usr/bin/env", "python3", tools / "make_random_model.py", "--shape", "tiny",
                 "--vocab", "288", small.string()})
                .exit_code,
            0);
  ASSERT_EQ(strata({"convert", small, "--out", pack, "--compress", "none"}).exit_code, 0);
  ASSERT_EQ(strata({"convert", small, "--out", coded}).exit_code, 0);
  ASSERT_LT(fs::file_size(coded), fs::file_size(pack));
  std::ifstream config(small / "config.json");
  const int vocab = Json::parse(config)["vocab_size"];
  std::mt19937 random(9);
  Json ids = {0, vocab - 1, 0, vocab - 1, 31, 32};
  while (ids.size() < 600) ids.push_back(random() % static_cast<uint32_t>(vocab));
  std::ofstream(file("ids.jsonl")) << Json{{"id", "long"}, {"ids", ids}}.dump() << "\n";
  const std::string expected = logits(small, {});
  EXPECT_TRUE(logits(coded, {}) == expected);
  for (const fs::path& model : {small, pack, coded}) {
    for (const char* io : {"auto", "pread"}) {
      EXPECT_TRUE(logits(model, {"--weights-on", "disk", "--io", io}) == expected) << model << io;
    }
  }
}

TEST_F(PlanExactness, TwentyPlansGiveTheSameLogits) {
  std::mt19937 random(7);
  Json ids = Json::array();
  for (int i = 0; i < kPrompt; i++) ids.push_back(random() % 4000);
  std::ofstream(file("ids.jsonl")) << Json{{"id", "long"}, {"ids", ids}}.dump() << "\n";
  const fs::path pack = file("pebble.pack"), coded = file("pebble-coded.pack");
  ASSERT_EQ(strata({"convert", pebble(), "--out", pack, "--compress", "none"}).exit_code, 0);
  ASSERT_EQ(strata({"convert", pebble(), "--out", coded}).exit_code, 0);
  ASSERT_LT(fs::file_size(coded), fs::file_size(pack));
  const std::array models = {pack, coded, pebble()};
  const std::string expected = logits(pebble(), {});
  ASSERT_GT(expected.size(), static_cast<size_t>(kPrompt + kTokens - 1) * 4000 * 4);
  EXPECT_TRUE(logits(coded, {}) == expected) << "expanded when it is loaded";
  for (int plan = 0; plan < kPlans; plan++) {
    const auto pick = [&](uint32_t least, uint32_t range) {
      return std::to_string(least + static_cast<uint32_t>(random()) % range);
    };
    std::vector<std::string> flags = {"--weights-on", "disk", "--io",
                                      random() % 2 == 0 ? "pread" : "auto"};
    flags.insert(flags.end(), {"--ring-bytes", pick(2, 8) + "MiB", "--threads", pick(1, 2)});
    flags.insert(flags.end(),
                 {"--prefill-chunk", pick(32, 480), "--memory", pick(140, 200) + "MiB"});
    const fs::path& model = models[static_cast<size_t>(plan) % models.size()];
    EXPECT_TRUE(logits(model, flags) == expected) << "plan " << plan;
  }
}

}  // namespace
}  // namespace strata::testing
