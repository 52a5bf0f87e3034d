// A pack computes what its folder does, bit for bit, in memory and streamed: golden models of every
// family and type, tied and untied heads, biases, norms of q and k, windows.
#include <gtest/gtest.h>

#include "strata_run.h"

namespace strata::golden {
namespace {

class Pack : public testing::TestWithParam<std::string> {};

TEST_P(Pack, GivesTheLogitsOfItsFolder) {
  REQUIRE_STRATA();
  const auto golden = load_case(GetParam());
  const TempDir work, from_folder, from_pack;
  write_folder(golden, work.path() / "model");
  const auto pack = work.path() / "m.pack";
  const auto converted = run_strata(
      {"convert", work.path() / "model", "--out", pack, "--dtype", golden.weights}, work.path());
  ASSERT_EQ(converted.exit_code, 0) << converted.errors;
  std::filesystem::remove_all(work.path() / "model");
  write_folder(golden, from_folder.path() / "model");
  auto flags = flags_of(golden);
  flags.insert(flags.end(), {"--max-tokens", "8", "--temperature", "0"});
  const std::vector<Prompt> prompts = {{"p", golden.prompt_ids}};
  const auto wanted = generate(from_folder.path() / "model", prompts, flags, from_folder.path());
  ASSERT_EQ(wanted.exit_code, 0) << wanted.errors;
  for (const std::string where : {"ram", "disk"}) {
    auto flags_there = flags;
    flags_there.insert(flags_there.end(), {"--weights-on", where});
    const auto found = generate(pack, prompts, flags_there, from_pack.path());
    ASSERT_EQ(found.exit_code, 0) << found.errors;
    EXPECT_EQ(found.rows.at("p").ids, wanted.rows.at("p").ids) << where;
    EXPECT_TRUE(read_file(found.npy("p")) == read_file(wanted.npy("p"))) << where;
    std::filesystem::remove_all(found.logits);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Pack, testing::ValuesIn(case_names()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace strata::golden
