// Spawns the program, waits for it and reads what it wrote. Judges nothing: the tests do.
#include "strata_run.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace strata::golden {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Runs a program to its end with stdout and stderr in files; the exit code, or 128 + the signal.
int run(const std::vector<std::string>& command, const fs::path& out, const fs::path& errors) {
  std::vector<char*> argv;
  for (const auto& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int flags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), flags, 0644);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.c_str(), flags, 0644);
  pid_t child = 0;
  const int failure = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failure != 0 || waitpid(child, &status, 0) != child) {
    throw std::runtime_error("cannot run " + command[0]);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string prompt_lines(const std::vector<Prompt>& prompts) {
  std::string lines;
  for (const auto& prompt : prompts) {
    lines += Json{{"id", prompt.id}, {"ids", prompt.ids}}.dump() + "\n";
  }
  return lines;
}

std::map<std::string, Generated> parse_rows(const std::string& lines) {
  std::map<std::string, Generated> rows;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    const Json row = Json::parse(line);
    rows[row.at("id")] = {row.at("prompt_ids"), row.at("ids"), row.at("finish_reason")};
  }
  return rows;
}

}  // namespace

TempDir::TempDir() {
  std::string name = (fs::temp_directory_path() / "strata_golden_XXXXXX").string();
  if (!mkdtemp(name.data())) {
    throw std::runtime_error("cannot create " + name);
  }
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path strata_binary() {
  const char* build = std::getenv("STRATA_BINARY_DIR");
  const fs::path binary = fs::path(build ? build : ".") / "strata";
  return fs::exists(binary) ? binary : fs::path();
}

Finished run_strata(const std::vector<std::string>& arguments, const fs::path& work) {
  std::vector<std::string> command = {strata_binary()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const int exit_code = run(command, work / "stdout", work / "stderr");
  return {exit_code, read_file(work / "stderr")};
}

Generation generate(const fs::path& model, const std::vector<Prompt>& prompts,
                    const std::vector<std::string>& flags, const fs::path& work) {
  Generation result;
  result.logits = work / "logits";
  write_file(work / "in.jsonl", prompt_lines(prompts));
  std::vector<std::string> arguments = {"generate",        model,         "--prompts",
                                        work / "in.jsonl", "--out",       work / "out.jsonl",
                                        "--logits",        result.logits, "--ignore-eos"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  Finished finished = run_strata(arguments, work);
  result.exit_code = finished.exit_code;
  result.errors = std::move(finished.errors);
  if (result.exit_code == 0) {
    result.rows = parse_rows(read_file(work / "out.jsonl"));
  }
  return result;
}

std::vector<std::string> flags_of(const GoldenCase& golden) {
  std::vector<std::string> flags = {"--dtype", golden.weights};
  if (golden.max_model_len) {
    flags.insert(flags.end(), {"--max-model-len", std::to_string(*golden.max_model_len)});
  }
  return flags;
}

}  // namespace strata::golden
