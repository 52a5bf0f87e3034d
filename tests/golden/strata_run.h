// Runs the real program for the golden and exactness tests: prompts in, tokens and logits files
// out. Goes through the command line on purpose, so that flags, loader, scheduler and worker are
// all under test.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "golden_case.h"

namespace strata::golden {

/// A folder of its own under the system's temporary one, removed with everything in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Prompt {
  std::string id;
  std::vector<int> ids;
};

/// A row of --out.
struct Generated {
  std::vector<int> prompt_ids;
  std::vector<int> ids;
  std::string finish_reason;
};

struct Generation {
  int exit_code = 0;
  std::string errors;                     // stderr
  std::map<std::string, Generated> rows;  // by id
  std::filesystem::path logits;           // <id>.npy

  std::filesystem::path npy(const std::string& id) const { return logits / (id + ".npy"); }
};

/// The program under test: $STRATA_BINARY_DIR/strata, or an empty path when it is not built.
std::filesystem::path strata_binary();

struct Finished {
  int exit_code = 0;
  std::string errors;  // stderr
};

/// `strata ARGUMENTS`, its outputs under `work`.
Finished run_strata(const std::vector<std::string>& arguments, const std::filesystem::path& work);

/// `strata generate MODEL --prompts ... --out ... --logits ... FLAGS`; files go under `work`, which
/// must exist.
Generation generate(const std::filesystem::path& model, const std::vector<Prompt>& prompts,
                    const std::vector<std::string>& flags, const std::filesystem::path& work);

/// --dtype and, where the case fixes it, --max-model-len.
std::vector<std::string> flags_of(const GoldenCase& golden);

}  // namespace strata::golden

/// Ends the test as failed where the program is not built: ctest builds and names it.
#define REQUIRE_STRATA()                                \
  ASSERT_FALSE(strata::golden::strata_binary().empty()) \
      << "the strata program is not built, or STRATA_BINARY_DIR is not set: run through ctest"
