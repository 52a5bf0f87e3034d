// For tests of this folder: random weights for a spec, written as a model.safetensors that a
// Checkpoint can open. No product code links it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "model/spec.h"
#include "tensor/dtype.h"

namespace strata::model::testing {

/// A tensor's values before they are rounded to the file's dtype.
struct TestTensor {
  std::vector<int64_t> shape;
  tensor::DType dtype = tensor::DType::kF32;
  std::vector<float> values;
};

/// By name; what a test changes here (drop, rename, reshape) is what the file holds.
using TestTensors = std::map<std::string, TestTensor>;

/// Every tensor of the table (optional ones left out) with values that depend on (name, index)
/// only: norms near 1, matrices scaled so that activations keep their size.
TestTensors random_tensors(const ModelSpec& spec, tensor::DType dtype);

/// A folder that is removed with the object.
class TestFolder {
 public:
  explicit TestFolder(const TestTensors& tensors);
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path() const { return path_.string(); }
  checkpoint::Checkpoint open() const;

 private:
  std::filesystem::path path_;
};

/// The value as the file holds it.
float rounded_to(tensor::DType dtype, float value);

}  // namespace strata::model::testing
