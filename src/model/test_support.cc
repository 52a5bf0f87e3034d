// See test_support.h.
#include "model/test_support.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "base/check.h"
#include "tensor/float_bits.h"

namespace strata::model::testing {
namespace {

using tensor::DType;

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

uint64_t hash_name(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

// Uniform in [-1, 1).
float uniform(uint64_t seed, uint64_t index) {
  return static_cast<float>(
      static_cast<double>(mix(seed + index * 0x9e3779b97f4a7c15ull) >> 11) * 0x1p-52 - 1);
}

std::string_view file_dtype(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kI32:
      return "I32";
    default:
      return "F32";
  }
}

void append(std::string& out, DType dtype, float value) {
  char bytes[4];
  size_t size = 4;
  if (dtype == DType::kF16 || dtype == DType::kBF16) {
    const uint16_t bits =
        dtype == DType::kF16 ? tensor::to_f16(value).bits : tensor::to_bf16(value).bits;
    std::memcpy(bytes, &bits, size = 2);
  } else {
    std::memcpy(bytes, &value, size);
  }
  out.append(bytes, size);
}

std::string file_bytes(const TestTensors& tensors) {
  std::string header = "{", data;
  for (const auto& [name, tensor] : tensors) {
    const size_t begin = data.size();
    for (const float value : tensor.values) append(data, tensor.dtype, value);
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                          header.size() > 1 ? "," : "", name, file_dtype(tensor.dtype),
                          fmt::join(tensor.shape, ","), begin, data.size());
  }
  header += "}";
  const uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + header + data;
}

}  // namespace

float rounded_to(DType dtype, float value) {
  if (dtype == DType::kF16) return tensor::to_float(tensor::to_f16(value));
  if (dtype == DType::kBF16) return tensor::to_float(tensor::to_bf16(value));
  return value;
}

TestTensors random_tensors(const ModelSpec& spec, DType dtype) {
  TestTensors out;
  for (const TensorSpec& tensor : spec.tensors) {
    if (tensor.optional) continue;
    TestTensor& made = out[tensor.name];
    made.shape = tensor.shape();
    made.dtype = dtype;
    const bool norm = tensor.name.ends_with("norm.weight");
    const float scale = tensor.is_matrix() ? 2 / std::sqrt(static_cast<float>(tensor.cols)) : 0.5f;
    const int64_t count = tensor.rows * std::max<int64_t>(tensor.cols, 1);
    for (int64_t i = 0; i < count; i++) {
      const float value =
          scale * uniform(hash_name(tensor.name), static_cast<uint64_t>(i)) + (norm ? 1.0f : 0.0f);
      made.values.push_back(rounded_to(dtype, value));
    }
  }
  return out;
}

TestFolder::TestFolder(const TestTensors& tensors) {
  static int counter = 0;
  path_ = std::filesystem::temp_directory_path() /
          fmt::format("strata_model_test_{}_{}", getpid(), counter++);
  std::filesystem::create_directories(path_);
  std::ofstream(path_ / "model.safetensors", std::ios::binary) << file_bytes(tensors);
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

checkpoint::Checkpoint TestFolder::open() const {
  auto checkpoint = checkpoint::Checkpoint::open(real_env(), path());
  CHECK(checkpoint.has_value(), "a test wrote a checkpoint that cannot be opened");
  return std::move(*checkpoint);
}

}  // namespace strata::model::testing
