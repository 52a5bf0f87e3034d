// A sequence's logits are a function of its tokens and the model alone: the real program computes
// the same prompts in batches of 1, 3 and 64, in any order, in any chunking, on 1 or 2 threads,
// with weights in memory or streamed from the disk and with every instruction set of the machine,
// and every logits file must come out byte for byte the same.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "strata_run.h"

namespace strata::golden {
namespace {

using Flags = std::vector<std::string>;

constexpr int kUnavailable = 69;  // the documented exit code for a feature that the machine lacks

/// Which cases' models are used: one per product kind, and a window with QK norms.
constexpr const char* kCases[] = {"mistral_window_bf16", "llama3_gqa_long", "llama3_gqa_f16",
                                  "qwen3_bf16"};

struct Batch {
  int prompts;
  int longest;     // tokens of the longest prompt
  int max_tokens;  // generated per prompt
};

constexpr Batch kFull = {64, 300, 6};  // 300: past the border of a key split at 256
constexpr Batch kShort = {7, 80, 4};

/// Prompts of very different lengths; the first is one token, the second the longest.
std::vector<Prompt> make_prompts(const GoldenCase& golden, const Batch& batch) {
  std::vector<Prompt> prompts;
  for (int i = 0; i < batch.prompts; ++i) {
    const int length = i < 2 ? 1 + i * (batch.longest - 1) : 1 + i * 37 % (batch.longest / 2);
    std::vector<float> random(length);
    fill_values("exactness", static_cast<uint64_t>(i), 0.0, 1000.0, random);
    Prompt prompt{"p" + std::to_string(i), {}};
    for (const float value : random) {
      prompt.ids.push_back(static_cast<int>(value + 4000.0F) %
                           static_cast<int>(golden.expected.columns));
    }
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

/// What one run computed: per prompt the tokens and the bytes of its logits file.
struct Outcome {
  int exit_code = 0;
  std::string errors;
  std::map<std::string, std::vector<int>> ids;
  std::map<std::string, std::string> logits;
};

/// A model on disk and the prompts to run through it.
class Bench {
 public:
  Bench(const std::string& name, const Batch& batch)
      : golden_(load_case(name)), prompts_(make_prompts(golden_, batch)), batch_(batch) {
    write_folder(golden_, work_.path() / "model");
  }

  Outcome run(const Flags& flags, const std::vector<Prompt>& prompts) const {
    const TempDir out;
    Flags all = flags_of(golden_);
    all.insert(all.end(), {"--max-tokens", std::to_string(batch_.max_tokens)});
    if (std::ranges::find(flags, "--temperature") == flags.end()) {
      all.insert(all.end(), {"--temperature", "0"});
    }
    all.insert(all.end(), flags.begin(), flags.end());
    const auto result = generate(work_.path() / "model", prompts, all, out.path());
    Outcome outcome{result.exit_code, result.errors, {}, {}};
    for (const auto& [id, row] : result.rows) {
      outcome.ids[id] = row.ids;
      outcome.logits[id] = read_file(result.npy(id));
    }
    return outcome;
  }

  Outcome run(const Flags& flags) const { return run(flags, prompts_); }

  /// The same prompts, last first or shuffled by a fixed stride.
  std::vector<Prompt> reversed() const { return {prompts_.rbegin(), prompts_.rend()}; }
  std::vector<Prompt> shuffled() const {
    std::vector<Prompt> result;
    const size_t count = prompts_.size();
    for (size_t i = 0; i < count; ++i) {
      result.push_back(prompts_[(i * 5 + 3) % count]);  // 5 shares no factor with 7 or 64
    }
    return result;
  }
  size_t count() const { return prompts_.size(); }

 private:
  TempDir work_;
  GoldenCase golden_;
  std::vector<Prompt> prompts_;
  Batch batch_;
};

std::string joined(const Flags& flags) {
  std::string text;
  for (const auto& flag : flags) {
    text += flag + " ";
  }
  return text;
}

void expect_same(const Outcome& expected, const Outcome& actual, const std::string& what) {
  ASSERT_EQ(actual.exit_code, 0) << what << actual.errors;
  ASSERT_EQ(actual.logits.size(), expected.logits.size()) << what;
  for (const auto& [id, bytes] : expected.logits) {
    ASSERT_TRUE(actual.logits.contains(id)) << what << id;
    EXPECT_TRUE(actual.logits.at(id) == bytes) << what << "changed the logits of " << id;
    EXPECT_EQ(actual.ids.at(id), expected.ids.at(id)) << what << id;
  }
}

/// Flags of the program that the machine's features do not decide.
std::vector<Flags> variations() {
  std::vector<Flags> all;
  for (const auto* sequences : {"1", "3", "64"}) {
    all.push_back({"--max-num-seqs", sequences});
  }
  for (const auto* chunk : {"1", "7", "32", "100", "512"}) {
    all.push_back({"--prefill-chunk", chunk});
  }
  for (const auto* threads : {"1", "2"}) {
    all.push_back({"--threads", threads});
  }
  all.push_back({"--max-num-seqs", "3", "--prefill-chunk", "7", "--threads", "2"});
  all.push_back({"--max-num-seqs", "64", "--prefill-chunk", "100", "--threads", "1"});
  all.push_back({"--weights-on", "disk"});
  all.push_back({"--weights-on", "disk", "--io", "pread", "--ring-bytes", "4MiB"});
  all.push_back({"--weights-on", "disk", "--max-num-seqs", "3", "--prefill-chunk", "7"});
  return all;
}

/// The feature flags that the kernel lists for this CPU; empty where there is no such list.
std::set<std::string> cpu_flags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags")) {
      std::istringstream words(line);
      return {std::istream_iterator<std::string>(words), {}};
    }
  }
  return {};
}

bool cpu_must_have(const std::string& isa) {
  const auto flags = cpu_flags();
  const auto has = [&](std::initializer_list<const char*> names) {
    return std::ranges::all_of(names, [&](const char* name) { return flags.contains(name); });
  };
  return isa == "scalar" || (isa == "avx2" && has({"avx2", "fma", "f16c"})) ||
         (isa == "avx512" && has({"avx512f", "avx512bw", "avx512vl", "avx512dq"})) ||
         (isa == "avx512_bf16" &&
          has({"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_bf16"}));
}

class Exactness : public testing::TestWithParam<const char*> {};

TEST_P(Exactness, BatchOrderChunkAndThreads) {
  REQUIRE_STRATA();
  const Bench bench(GetParam(), kFull);
  const auto expected = bench.run({});
  ASSERT_EQ(expected.exit_code, 0) << expected.errors;
  ASSERT_EQ(expected.logits.size(), bench.count());
  for (const auto& flags : variations()) {
    expect_same(expected, bench.run(flags), joined(flags));
  }
  expect_same(expected, bench.run({"--max-num-seqs", "64"}, bench.reversed()), "reversed ");
  expect_same(expected, bench.run({"--max-num-seqs", "5"}, bench.shuffled()), "shuffled ");
}

void expect_same_on_every_isa(const Bench& bench) {
  const auto expected = bench.run({"--isa", "scalar"});
  ASSERT_EQ(expected.exit_code, 0) << expected.errors;
  ASSERT_EQ(expected.logits.size(), bench.count());
  for (const std::string isa : {"auto", "avx2", "avx512", "avx512_bf16", "amx"}) {
    const auto actual = bench.run({"--isa", isa});
    if (actual.exit_code == kUnavailable && isa != "auto") {
      EXPECT_FALSE(cpu_must_have(isa)) << isa << " was refused on a CPU that has it";
      EXPECT_FALSE(actual.errors.empty()) << "refused without a word";
      continue;
    }
    expect_same(expected, actual, "--isa " + isa + " ");
  }
}

TEST_P(Exactness, EveryIsa) {
  REQUIRE_STRATA();
  expect_same_on_every_isa(Bench(GetParam(), kFull));
}

TEST_P(Exactness, SampledTokens) {
  REQUIRE_STRATA();
  const Bench bench(GetParam(), kFull);
  const Flags sampled = {"--temperature", "0.9", "--seed", "7"};
  const auto expected = bench.run(sampled);
  auto alone = sampled;
  alone.insert(alone.end(), {"--max-num-seqs", "1", "--prefill-chunk", "32"});
  expect_same(expected, bench.run(alone), joined(alone));
  expect_same(expected, bench.run(sampled, bench.reversed()), "reversed ");
}

/// The same in seconds, for every build and the sanitizers.
TEST_P(Exactness, Short) {
  REQUIRE_STRATA();
  const Bench bench(GetParam(), kShort);
  expect_same_on_every_isa(bench);
  const auto expected = bench.run({});
  expect_same(expected, bench.run({"--max-num-seqs", "1", "--threads", "1"}), "one by one ");
  expect_same(expected, bench.run({"--prefill-chunk", "7"}, bench.shuffled()), "shuffled ");
}

INSTANTIATE_TEST_SUITE_P(Models, Exactness, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param); });

/// logits_hash.json holds the 64-bit FNV-1a of every logit of a case's greedy run: machines of all
/// classes are held to the same bits, and so is every later version that keeps the numerics.
TEST(LogitsHash, IsTheCommittedOne) {
  REQUIRE_STRATA();
  const auto hashes = nlohmann::json::parse(read_file(golden_dir() / "logits_hash.json"));
  for (const auto& [name, committed] : hashes.items()) {
    const auto golden = load_case(name);
    const TempDir work;
    write_folder(golden, work.path() / "model");
    auto flags = flags_of(golden);
    flags.insert(flags.end(), {"--max-tokens", "64", "--temperature", "0"});
    const auto result =
        generate(work.path() / "model", {{name, golden.prompt_ids}}, flags, work.path());
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    const auto logits = read_npy(result.npy(name));
    const auto hash = fnv1a({reinterpret_cast<const char*>(logits.values.data()),
                             logits.values.size() * sizeof(float)});
    EXPECT_EQ(committed.get<std::string>(), fmt::format("{:016x}", hash)) << name;
  }
}

}  // namespace
}  // namespace strata::golden
