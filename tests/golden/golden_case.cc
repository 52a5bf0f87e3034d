// Reads golden cases and writes the folders they stand for. Knows nothing of the program under
// test.
#include "golden_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>
#include <stdexcept>

namespace strata::golden {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct DtypeName {
  const char* key;
  WeightDtype dtype;
  const char* safetensors;
  int64_t bytes;
};

constexpr DtypeName kDtypes[] = {
    {"f32", WeightDtype::kF32, "F32", 4},
    {"f16", WeightDtype::kF16, "F16", 2},
    {"bf16", WeightDtype::kBf16, "BF16", 2},
};

const DtypeName& dtype_of(const std::string& key) {
  const auto* found =
      std::ranges::find_if(kDtypes, [&](const auto& row) { return row.key == key; });
  if (found == std::end(kDtypes)) {
    throw std::runtime_error("a case with weights of unknown dtype " + key);
  }
  return *found;
}

int64_t count_of(const SynthTensor& tensor) {
  return std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1}, std::multiplies<>());
}

template <class T>
std::optional<T> optional_field(const Json& json, const char* key) {
  return json.contains(key) ? std::optional<T>(json.at(key).get<T>()) : std::nullopt;
}

std::string shard_name(int index, int count) {
  return count == 1 ? "model.safetensors"
                    : fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

std::string safetensors_header(const std::vector<SynthTensor>& tensors, const DtypeName& dtype) {
  Json header = Json::object();
  int64_t offset = 0;
  for (const auto& tensor : tensors) {
    const int64_t end = offset + count_of(tensor) * dtype.bytes;
    header[tensor.name] = {
        {"dtype", dtype.safetensors}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t size = text.size();
  std::string prefix(sizeof size, '\0');
  std::memcpy(prefix.data(), &size, sizeof size);
  return prefix + text;
}

void write_shard(const fs::path& path, const std::vector<SynthTensor>& tensors,
                 const GoldenCase& golden) {
  const DtypeName& dtype = dtype_of(golden.weights);
  std::string content = safetensors_header(tensors, dtype);
  for (const auto& tensor : tensors) {
    std::vector<float> values(count_of(tensor));
    fill_values(tensor.name, golden.seed, tensor.mean, tensor.scale, values);
    content += encode(values, dtype.dtype);
  }
  write_file(path, content);
}

std::vector<SynthTensor> tensors_of(const Json& json) {
  std::vector<SynthTensor> tensors;
  for (const auto& entry : json) {
    tensors.push_back({entry.at("name"), entry.at("shape"), entry.at("mean"), entry.at("scale")});
  }
  return tensors;
}

/// The "(rows, columns)" of an npy header that is otherwise exactly what NumPy writes for float32.
std::pair<int64_t, int64_t> npy_shape(const std::string& header, const fs::path& path) {
  int64_t rows = 0;
  int64_t columns = 0;
  const auto shape = header.find("'shape': (");
  const bool plain = header.find("'descr': '<f4'") != std::string::npos &&
                     header.find("'fortran_order': False") != std::string::npos;
  if (!plain || shape == std::string::npos ||
      std::sscanf(header.c_str() + shape, "'shape': (%ld, %ld)", &rows, &columns) != 2) {
    throw std::runtime_error(path.string() + " is not a float32 matrix: " + header);
  }
  return {rows, columns};
}

}  // namespace

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("cannot read " + path.string());
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  if (!file.write(content.data(), static_cast<std::streamsize>(content.size())).flush()) {
    throw std::runtime_error("cannot write " + path.string());
  }
}

fs::path golden_dir() {
  const char* source = std::getenv("STRATA_SOURCE_DIR");
  return fs::path(source ? source : ".") / "tests" / "golden";
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(golden_dir() / "cases", missing)) {
    names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

Matrix read_npy(const fs::path& path) {
  const std::string content = read_file(path);
  if (content.size() < 10 || content.compare(0, 8, std::string("\x93NUMPY\x01\x00", 8)) != 0) {
    throw std::runtime_error(path.string() + " is not an npy file of version 1.0");
  }
  uint16_t header_size = 0;
  std::memcpy(&header_size, content.data() + 8, sizeof header_size);
  const auto [rows, columns] = npy_shape(content.substr(10, header_size), path);
  Matrix matrix{rows, columns, std::vector<float>(rows * columns)};
  const size_t bytes = matrix.values.size() * sizeof(float);
  if (content.size() != 10 + header_size + bytes) {
    throw std::runtime_error(path.string() + " is longer or shorter than its header says");
  }
  std::memcpy(matrix.values.data(), content.data() + 10 + header_size, bytes);
  return matrix;
}

GoldenCase load_case(const std::string& name) {
  const fs::path folder = golden_dir() / "cases" / name;
  const Json json = Json::parse(read_file(folder / "case.json"));
  const Json& settings = json.at("settings");
  return {.name = name,
          .family = json.at("family"),
          .config = json.at("config"),
          .weights = json.at("weights"),
          .shards = json.at("shards"),
          .seed = json.at("seed"),
          .max_model_len = optional_field<int>(settings, "max_model_len"),
          .tensors = tensors_of(json.at("tensors")),
          .prompt_ids = json.at("prompt_ids"),
          .greedy_ids = json.at("greedy_ids"),
          .rows = json.at("rows"),
          .transformers_kl = optional_field<double>(json, "transformers_kl"),
          .expected = read_npy(folder / "expected.npy")};
}

void write_folder(const GoldenCase& golden, const fs::path& folder) {
  fs::create_directories(folder);
  write_file(folder / "config.json", golden.config.dump(2));
  std::vector<std::vector<SynthTensor>> shards(golden.shards);
  Json weight_map = Json::object();
  for (size_t i = 0; i < golden.tensors.size(); ++i) {
    const auto shard = static_cast<int>(i % shards.size());
    shards[shard].push_back(golden.tensors[i]);
    weight_map[golden.tensors[i].name] = shard_name(shard, golden.shards);
  }
  for (int shard = 0; shard < golden.shards; ++shard) {
    write_shard(folder / shard_name(shard, golden.shards), shards[shard], golden);
  }
  if (golden.shards > 1) {
    const Json index = {{"metadata", Json::object()}, {"weight_map", weight_map}};
    write_file(folder / "model.safetensors.index.json", index.dump(2));
  }
}

}  // namespace strata::golden
