// A committed golden case: what to build, what to feed it, what must come out. Read from
// cases/<name>/case.json and expected.npy (written by tools/golden/make_goldens.py); turned into a
// Hugging Face folder at test time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "synth_weights.h"

namespace strata::golden {

/// A tensor of the synthetic checkpoint; its values follow from the name and the case's seed.
struct SynthTensor {
  std::string name;
  std::vector<int64_t> shape;
  double mean = 0;
  double scale = 0;
};

/// float32 [rows, columns], row-major.
struct Matrix {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<float> values;

  std::span<const float> row(int64_t index) const {
    return std::span(values).subspan(index * columns, columns);
  }
};

struct GoldenCase {
  std::string name;
  std::string family;
  nlohmann::ordered_json config;  // config.json, whole
  std::string weights;            // f32, f16 or bf16: checkpoint and computation
  int shards = 1;
  uint64_t seed = 0;
  std::optional<int> max_model_len;
  std::vector<SynthTensor> tensors;
  std::vector<int> prompt_ids;
  std::vector<int> greedy_ids;            // what Transformers generates after the prompt
  std::vector<int64_t> rows;              // positions whose logits are in `expected`
  std::optional<double> transformers_kl;  // mean KL of Transformers in `weights` precision
  Matrix expected;                        // [rows.size(), vocab], Transformers in float32
};

/// tests/golden of the source tree.
std::filesystem::path golden_dir();

/// The names of all committed cases, sorted.
std::vector<std::string> case_names();

/// Throws (which fails the test) on a missing or broken case: these files are ours.
GoldenCase load_case(const std::string& name);

/// A float32 matrix in NumPy's format 1.0; throws with the path when it is anything else.
Matrix read_npy(const std::filesystem::path& path);

/// Writes config.json and the safetensors (with an index when there are several shards) into
/// `folder`.
void write_folder(const GoldenCase& golden, const std::filesystem::path& folder);

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& content);

}  // namespace strata::golden
