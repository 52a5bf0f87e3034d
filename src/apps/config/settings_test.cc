// Who wins among defaults, a file, the environment and the command line, and what is refused where.
#include "apps/config/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "apps/config/config_show.h"
#include "apps/config/line.h"
#include "base/fault_env.h"

namespace strata::apps {
namespace {

namespace fs = std::filesystem;

constexpr ConfigField kServeFields[] = {
    {.name = "max-num-seqs",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .min = 1,
     .max = 64,
     .help = "how many"},
    {.name = "hosts", .unit = "HOST[,HOST]", .help = "names"},
    {.name = "stop", .unit = "TEXT/LIST", .help = "ends"},
    {.name = "api-key", .unit = "KEY", .help = "key", .secret = true},
    {.name = "json", .kind = FieldKind::kSwitch, .help = "as JSON"},
};
constexpr ConfigField kDoctorFields[] = {
    {.name = "repeats", .kind = FieldKind::kInteger, .fallback = "5", .min = 1, .max = 9}};
constexpr ConfigField kInput[] = {{.name = "hosts", .unit = "IN", .help = "a file"}};

const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands = {
      {"serve", "Serves", true, {kServeFields}, nullptr},
      {"batch", "Answers", true, {}, nullptr, kInput},
      {"doctor", "Looks", false, {kDoctorFields}, nullptr}};
  return kCommands;
}

class Settings : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "settings_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    for (const char* variable : {"STRATA_CONFIG", "STRATA_MODEL", "STRATA_JSON"}) {
      env_.set_env(variable, std::nullopt);
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& text) {
    const std::string path = (folder_ / "f.yaml").string();
    std::ofstream(path) << text;
    return path;
  }
  Result<Line> read(std::vector<std::string> arguments, size_t command = 0) {
    return read_line(env_, commands(), commands()[command], std::move(arguments));
  }
  // The message without the folder.
  std::string refusal(const std::string& text) {
    const auto line = read({"--config", write(text)});
    if (line) return "accepted";
    EXPECT_EQ(line.error().code, Code::kInvalidArgument);
    const std::string message = line.error().message();
    const size_t start = message.find("f.yaml");
    return start == std::string::npos ? message : message.substr(start);
  }

  fs::path folder_;
  FaultEnv env_{real_env()};
};

TEST_F(Settings, LaterSpeakersWin) {
  const std::string file = write("model: org/name\nmax_num_seqs: 2\n");
  EXPECT_EQ(read({})->values.text("max-num-seqs"), "auto");
  EXPECT_EQ(read({})->values.text("model"), "pebble");
  EXPECT_EQ(read({"--config", file})->values.integer("max-num-seqs"), 2);
  EXPECT_EQ(read({"--config", file})->values.text("model"), "org/name");
  env_.set_env("STRATA_MAX_NUM_SEQS", "3");
  EXPECT_EQ(read({"--config", file})->values.integer("max-num-seqs"), 3);
  EXPECT_FALSE(read({"--config", file})->values.typed("max-num-seqs"));
  const auto all = read({"--config", file, "--max-num-seqs", "4", "other"});
  EXPECT_EQ(all->values.integer("max-num-seqs"), 4);
  EXPECT_TRUE(all->values.typed("max-num-seqs"));
  EXPECT_EQ(all->values.text("model"), "other");
  env_.set_env("STRATA_MAX_NUM_SEQS", "");  // as good as unset
  env_.set_env("STRATA_CONFIG", file);
  EXPECT_EQ(read({})->values.integer("max-num-seqs"), 2);
}

TEST_F(Settings, SwitchesGoBothWays) {
  const std::string file = write("json: true\n");
  EXPECT_TRUE(read({"--config", file})->values.is_on("json"));
  EXPECT_FALSE(read({"--config", file, "--json=false"})->values.is_on("json"));
  env_.set_env("STRATA_JSON", "false");
  EXPECT_FALSE(read({"--config", file})->values.is_on("json"));
  EXPECT_TRUE(read({"--config", file, "--json"})->values.is_on("json"));
}

TEST_F(Settings, ListsAndMapsWhereTheFlagTakesThem) {
  const auto line = read({"--config", write("hosts: [a, b.c]\nstop: [END, 7]\n")});
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->values.text("hosts"), "a,b.c");
  EXPECT_EQ(line->values.text("stop"), "[\"END\",7]");
  EXPECT_EQ(read({"--config", write("stop: END")})->values.text("stop"), "END");
  EXPECT_EQ(refusal("max-num-seqs: [1]"),
            "f.yaml:1: max-num-seqs: got a list, expected an integer from 1 to 64, or auto");
  EXPECT_EQ(refusal("hosts: {a: 1}"), "f.yaml:1: hosts: got a map, expected HOST[,HOST]");
  EXPECT_EQ(refusal("hosts: ['a,b']"),
            "f.yaml:1: hosts: got \"a,b\", expected a list of texts without commas");
}

TEST_F(Settings, NamesLineKeyAndTheNearestFlag) {
  EXPECT_EQ(refusal("json: true\nmax-num-seq: 1"),
            "f.yaml:2: no flag is called max-num-seq (did you mean max-num-seqs?)");
  EXPECT_EQ(refusal("frobnicate: 1"),
            "f.yaml:1: no flag is called frobnicate (see strata COMMAND --help)");
  EXPECT_EQ(refusal("max-num-seqs: 65"),
            "f.yaml:1: max-num-seqs: got \"65\", expected an integer from 1 to 64, or auto");
  EXPECT_EQ(refusal("json: yes"), "f.yaml:1: json: got \"yes\", expected no value, true or false");
  EXPECT_EQ(refusal("config: other.yaml"),
            "f.yaml:1: config: got a file in a file, expected flags and their values");
  env_.set_env("STRATA_MAX_NUM_SEQS", "many");
  EXPECT_EQ(read({}).error().message(),
            "STRATA_MAX_NUM_SEQS: got \"many\", expected an integer from 1 to 64, or auto");
  env_.set_env("STRATA_MAX_NUM_SEQS", std::nullopt);
  EXPECT_EQ(read({"--config", "/no/such"}).error().code, Code::kNotFound);
  EXPECT_EQ(read({"--config", write(std::string(300'000, '#'))}).error().code,
            Code::kResourceLimit);
}

TEST_F(Settings, OneFileServesSeveralCommands) {
  const auto line = read({"--config", write("repeats: 3\njson: true\n")});
  ASSERT_TRUE(line) << line.error().message();
  ASSERT_EQ(line->unused.size(), 1u);
  EXPECT_EQ(line->unused[0].name, "repeats");
  EXPECT_TRUE(line->unused[0].where.ends_with("f.yaml:1"));
  EXPECT_EQ(refusal("repeats: 10"),
            "f.yaml:1: repeats: got \"10\", expected an integer from 1 to 9");
}

TEST_F(Settings, FilesOfACommandAreNeverTakenFromThere) {
  env_.set_env("STRATA_HOSTS", "elsewhere");
  const auto line = read({"--config", write("hosts: x"), "MODEL"}, 1);
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_FALSE(line->values.given("hosts"));
  env_.set_env("STRATA_HOSTS", std::nullopt);
}

TEST_F(Settings, AreShownWithTheirOriginAndWithoutSecrets) {
  const std::string file = write("max-num-seqs: 2\nrepeats: 3\nhosts: a b\n");
  env_.set_env("STRATA_API_KEY", "sesame");
  const auto line = read({"--config", file, "--json"});
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(config_text(commands()[0], *line, false),
            "model: pebble\nmax-num-seqs: 2\nhosts: \"a b\"\nstop: \"\"\napi-key: (hidden)\n"
            "json: true\nconfig: " +
                file + "\n");
  const std::string shown = config_text(commands()[0], *line, true);
  const auto has = [&](const std::string& value, const std::string& origin) {
    const size_t row = shown.find("\n" + value + " ");
    return row != std::string::npos &&
           shown.substr(row, shown.find('\n', row + 1) - row).ends_with(" # " + origin);
  };
  EXPECT_TRUE(has("max-num-seqs: 2", file + ":1")) << shown;
  EXPECT_TRUE(has("stop: \"\"", "default"));
  EXPECT_TRUE(has("api-key: (hidden)", "STRATA_API_KEY"));
  EXPECT_TRUE(has("json: true", "command line"));
  EXPECT_TRUE(shown.ends_with("\n# " + file + ":2: strata serve has no --repeats\n")) << shown;
  EXPECT_FALSE(shown.contains("sesame"));
}

}  // namespace
}  // namespace strata::apps
