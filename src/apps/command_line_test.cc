// Commands, flags and their mistakes; and that docs/flags.md is what the field lists say.
#include "apps/command_line.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "apps/commands.h"

namespace strata::apps {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "max-tokens",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .min = 1,
     .max = 10,
     .help = "how many"},
    {.name = "temperature",
     .kind = FieldKind::kNumber,
     .fallback = "1",
     .min = -1,
     .max = 2,
     .help = "how hot"},
    {.name = "prompt", .unit = "TEXT", .help = "what to say"},
    {.name = "json", .kind = FieldKind::kSwitch, .help = "as JSON"},
};

std::string& seen() {
  static std::string text;
  return text;
}

Result<void> remember(Env&, const std::string& model, const FieldValues& values) {
  seen() = model;
  for (const char* name : {"max-tokens", "temperature", "prompt", "json"})
    seen() += "|" + values.text(name);
  return {};
}

const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands = {
      {"generate", "Generates", true, {kFields}, remember},
      {"bench latency", "Measures", true, {kFields}, remember},
      {"doctor", "Looks", false, {}, nullptr}};
  return kCommands;
}

// What the command saw, or the message of the failure.
std::string run(const std::vector<std::string>& arguments) {
  seen().clear();
  const auto done = run_command_line(real_env(), commands(), arguments);
  if (done) return seen();
  EXPECT_EQ(done.error().code, Code::kInvalidArgument);
  return "! " + done.error().message();
}

TEST(CommandLine, TakesFlagsInEveryUsualForm) {
  EXPECT_EQ(run({"generate", "M"}), "M|auto|1||false");
  EXPECT_EQ(run({"generate", "M", "--max-tokens", "3"}), "M|3|1||false");
  EXPECT_EQ(run({"generate", "--max_tokens=3", "M", "--json"}), "M|3|1||true");
  EXPECT_EQ(run({"generate", "M", "--temperature", "-0.5"}), "M|auto|-0.5||false");
  EXPECT_EQ(run({"generate", "M", "--prompt", "--not_a-flag"}), "M|auto|1|--not_a-flag|false");
  EXPECT_EQ(run({"generate", "M", "--prompt", "--max_tokens", "--max_tokens", "2"}),
            "M|2|1|--max_tokens|false");
  EXPECT_EQ(run({"generate", "M", "--prompt=a_b=c"}), "M|auto|1|a_b=c|false");
  EXPECT_EQ(run({"generate", "M", "--prompt", ""}), "M|auto|1||false");
  EXPECT_EQ(run({"bench", "latency", "M"}), "M|auto|1||false");
}

TEST(CommandLine, AnswersMistakesWithTheFix) {
  EXPECT_EQ(run({"genrate", "M"}), "! no command \"genrate\" (did you mean strata generate?)");
  EXPECT_EQ(run({"xyzzy"}), "! no command \"xyzzy\" (see strata --help)");
  EXPECT_EQ(run({}), "! no command (see strata --help)");
  EXPECT_EQ(run({"bench"}), "! strata bench: expected latency");
  EXPECT_EQ(run({"bench", "speed"}), "! strata bench \"speed\": expected latency");
  EXPECT_EQ(run({"generate", "M", "--max-token", "3"}),
            "! strata generate has no flag --max-token (did you mean --max-tokens?)");
  EXPECT_EQ(run({"generate", "M", "--frobnicate"}),
            "! strata generate has no flag --frobnicate (see strata generate --help)");
  EXPECT_EQ(run({"generate", "M", "--max-tokens", "11"}),
            "! --max-tokens: got \"11\", expected an integer from 1 to 10, or auto");
  EXPECT_NE(run({"generate", "M", "--max-tokens"}).find("max-tokens"), std::string::npos);
  EXPECT_EQ(run({"generate"}), "pebble|auto|1||false");
  EXPECT_NE(run({"generate", "M", "N"}).find("\"N\" too many"), std::string::npos);
}

TEST(CommandLine, PrintsHelp) {
  testing::internal::CaptureStdout();
  EXPECT_TRUE(run_command_line(real_env(), commands(), {"--help"}));
  EXPECT_TRUE(run_command_line(real_env(), commands(), {"generate", "--help"}));
  EXPECT_TRUE(run_command_line(real_env(), commands(), {"bench", "--help"}));
  EXPECT_TRUE(run_command_line(real_env(), commands(), {"--version"}));
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_NE(text.find("usage: strata generate [MODEL]"), std::string::npos);
  EXPECT_NE(text.find("--max-tokens N"), std::string::npos);
  EXPECT_NE(text.find("usage: strata bench COMMAND [ARGUMENT...]\n\n  bench latency"),
            std::string::npos);
  EXPECT_NE(text.find("strata 0."), std::string::npos);
}

TEST(ConfigShow, ShowsWhatTheNamedCommandWouldHave) {
  const auto shown = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"config", "show"});
    testing::internal::CaptureStdout();
    const auto done = run_command_line(real_env(), all_commands(), arguments);
    const std::string text = testing::internal::GetCapturedStdout();
    return done ? text : "! " + done.error().message();
  };
  const std::string plan = shown({"plan", "--max-num-seqs", "4", "org/name", "--origin"});
  EXPECT_TRUE(plan.starts_with("model: org/name  ")) << plan;
  EXPECT_TRUE(plan.contains("\nmax-num-seqs: 4  ")) << plan;
  EXPECT_TRUE(plan.contains("# command line\n")) << plan;
  EXPECT_TRUE(shown({}).contains("\nport: 8000\n"));
  EXPECT_TRUE(shown({"--port", "1"}).contains("\nport: 1\n"));
  EXPECT_TRUE(shown({"bench", "latency"}).contains("\nrepeats: 5\n"));
  EXPECT_TRUE(shown({"serve", "--help"}).contains("usage: strata config show [COMMAND]"));
  EXPECT_EQ(shown({"plam"}), "! no command \"plam\" (did you mean strata plan?)");
  EXPECT_TRUE(shown({"plan", "--prot", "1"}).starts_with("! strata plan has no flag --prot"));
}

TEST(Flags, DocumentIsUpToDate) {
  const char* source = std::getenv("STRATA_SOURCE_DIR");
  ASSERT_NE(source, nullptr) << "STRATA_SOURCE_DIR is not set: run through ctest";
  const std::string path = std::string(source) + "/docs/flags.md";
  const std::string wanted = flags_document(all_commands());
  if (std::getenv("STRATA_UPDATE_DOCS") != nullptr) std::ofstream(path) << wanted;
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), wanted) << "run: STRATA_UPDATE_DOCS=1 build/<preset>/command_line_test";
}

TEST(Flags, NamesThatOthersScriptAgainstAreThere) {
  std::string help;
  for (const Command& command : all_commands()) {
    if (command.name == "generate") help = command_help(command);
  }
  for (const char* flag :
       {"--prompts", "--out", "--logits", "--dtype auto|f32|f16|bf16", "--temperature",
        "--max-tokens", "--ignore-eos", "--seed", "--threads",
        "--isa auto|scalar|avx2|avx512|avx512_bf16|amx", "--prefill-chunk", "--max-num-seqs",
        "--kv-blocks", "--max-model-len", "--chat", "--json", "--revision"}) {
    EXPECT_NE(help.find(flag), std::string::npos) << flag;
  }
}

}  // namespace
}  // namespace strata::apps
