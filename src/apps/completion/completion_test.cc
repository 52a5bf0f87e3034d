// The scripts as a shell runs them: bash completes words of the real commands.
#include "apps/completion/completion.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "apps/commands.h"

namespace strata::apps {
namespace {

namespace fs = std::filesystem;

class Completion : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "completion_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    std::ofstream(folder_ / "script") << completion_script(all_commands(), "bash");
    fs::create_directories(folder_ / "hub/models--org--some-name");
    fs::create_directories(folder_ / "folder");
    std::ofstream(folder_ / "a file") << "x";
  }
  void TearDown() override { fs::remove_all(folder_); }

  // What bash offers for the last of the words, a line each.
  std::string offered(const std::string& words) const {
    const std::string command = "cd '" + folder_.string() + "' && HF_HUB_CACHE='" +
                                (folder_ / "hub").string() +
                                "' bash -uc 'source ./script; COMP_WORDS=(strata " + words +
                                "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _strata; "
                                "printf \"%s\\n\" \"${COMPREPLY[@]}\"' 2>&1";
    std::string text;
    FILE* pipe = popen(command.c_str(), "r");
    std::array<char, 4096> piece;
    while (std::fgets(piece.data(), piece.size(), pipe) != nullptr) text += piece.data();
    EXPECT_EQ(pclose(pipe), 0) << text;
    return text;
  }

  fs::path folder_;
};

TEST_F(Completion, OffersCommandsAndTheirSecondWords) {
  EXPECT_EQ(offered("ser"), "serve\n");
  EXPECT_EQ(offered("con"), "convert\nconfig\n");
  EXPECT_EQ(offered("config \"\""), "show\n");
  EXPECT_EQ(offered("bench s"), "schedule\nserve\n");
  const std::string all = offered("\"\"");
  for (const Command& command : all_commands()) {
    const std::string first(command.name.substr(0, command.name.find(' ')));
    EXPECT_TRUE(("\n" + all).contains("\n" + first + "\n")) << first;
  }
}

TEST_F(Completion, OffersFlagsOfTheCommand) {
  EXPECT_EQ(offered("serve --por"), "--port\n");
  EXPECT_EQ(offered("serve MODEL --log-format json --max-num-s"), "--max-num-seqs\n");
  EXPECT_EQ(offered("doctor --por"), "\n");
  EXPECT_EQ(offered("bench latency --cas"), "--cases\n");
  EXPECT_EQ(offered("plan --confi"), "--config\n");
}

TEST_F(Completion, OffersValues) {
  EXPECT_EQ(offered("serve --log-format \"\""), "text\njson\n");
  EXPECT_EQ(offered("serve --log_format j"), "json\n");
  EXPECT_EQ(offered("serve --log-format = j"), "json\n");  // as bash cuts --log-format=j
  EXPECT_EQ(offered("serve --log-format ="), "text\njson\n");
  EXPECT_EQ(offered("serve --max-num-seqs a"), "auto\n");
  EXPECT_EQ(offered("serve --config a"), "a file\n");
  EXPECT_EQ(offered("serve --files-dir f"), "folder\n");
  EXPECT_EQ(offered("serve --host l"), "\n");
  EXPECT_EQ(offered("serve --metrics-old-names --por"), "--port\n");
  EXPECT_EQ(offered("completion z"), "zsh\n");
}

TEST_F(Completion, OffersModelsOfTheCacheAndPaths) {
  EXPECT_EQ(offered("serve org"), "org/some-name\n");
  EXPECT_EQ(offered("chat p"), "pebble\n");
  EXPECT_EQ(offered("generate fo"), "folder\n");
}

TEST_F(Completion, EveryFlagStandsInEveryShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(all_commands(), shell);
    for (const Command& command : all_commands()) {
      for (const FieldList& list : command.fields) {
        for (const ConfigField& field : list) {
          const std::string flag =
              (shell == std::string("fish") ? "-l " : "--") + std::string(field.name);
          EXPECT_TRUE(script.contains(flag)) << shell << " " << command.name << " " << field.name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace strata::apps
