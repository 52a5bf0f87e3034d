// The real program on a tiny random model, as a user or a script runs it: starting it, and what it
// left on its outputs. The model and its tokenizer are made by the scripts in tools/.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace strata::testing {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

inline std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Lines of JSON.
inline std::vector<Json> read_rows(const fs::path& path) {
  std::istringstream stream(read_file(path));
  std::vector<Json> parsed;
  for (std::string line; std::getline(stream, line);) parsed.push_back(Json::parse(line));
  return parsed;
}

struct Done {
  int exit_code = -1;
  std::string out;
  std::string errors;
};

/// A folder with the model, and the program.
class CliTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (fs::temp_directory_path() / "strata_cli_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder() = name;
    setenv("XDG_CACHE_HOME", file("cache").c_str(), 1);  // no test depends on its user's probes
    setenv("XDG_STATE_HOME", file("state").c_str(), 1);  // nor on files that a server kept
    const fs::path tools = fs::path(environment("STRATA_SOURCE_DIR")) / "tools";
    Done made = run(
        {"/usr/bin/env", "python3", tools / "make_random_model.py", "--shape", "tiny", model()});
    ASSERT_EQ(made.exit_code, 0) << made.errors;
    // Greedy by default, so that answers can be compared.
    std::ofstream(model() / "generation_config.json") << R"({"eos_token_id": [257]})";
  }
  static void TearDownTestSuite() {
    std::error_code ignored;
    fs::remove_all(folder(), ignored);
  }

  static fs::path& folder() {
    static fs::path path;
    return path;
  }
  static fs::path model() { return folder() / "tiny"; }
  static fs::path file(const std::string& name) { return folder() / name; }

  /// `outputs`: its outputs go to the files <outputs>out and <outputs>err.
  static pid_t start(const std::vector<std::string>& command, const fs::path& input,
                     const std::string& outputs = "std") {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, 0, input.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, file(outputs + "out").c_str(), flags, 0644);
    posix_spawn_file_actions_addopen(&actions, 2, file(outputs + "err").c_str(), flags, 0644);
    pid_t child = -1;
    EXPECT_EQ(posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ), 0)
        << command[0];
    posix_spawn_file_actions_destroy(&actions);
    return child;
  }
  static Done finish(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {code, read_file(file("stdout")), read_file(file("stderr"))};
  }
  static Done run(const std::vector<std::string>& command, const std::string& input = "") {
    std::ofstream(file("stdin")) << input;
    return finish(start(command, file("stdin")));
  }

  static std::string binary() { return fs::path(environment("STRATA_BINARY_DIR")) / "strata"; }
  static Done strata(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), binary());
    return run(arguments, input);
  }
};

}  // namespace strata::testing
