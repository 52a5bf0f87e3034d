// The header of one .safetensors file: which tensor lies at which bytes. The header is streamed and
// believed in nothing: every length, count and offset is checked against the file before memory is
// taken for it. Reads no tensor data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "tensor/dtype.h"

namespace strata::checkpoint {

/// A tensor in a file: `bytes` = product of `shape` x dtype_bytes(dtype), all of it inside the
/// file.
struct TensorEntry {
  std::string name;  // valid UTF-8 without control characters, 1 to 4,096 bytes; never a path
  std::vector<int64_t> shape;  // row-major, each >= 0; empty for a scalar
  tensor::DType dtype = tensor::DType::kF32;
  uint32_t file = 0;    // index into Checkpoint::file_name()
  uint64_t offset = 0;  // absolute, from the start of the file
  uint64_t bytes = 0;
};

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
inline constexpr size_t kMaxTensorsPerFile = 1 << 20;
inline constexpr size_t kMaxTensorNameBytes = 4096;
inline constexpr size_t kMaxTensorDims = 64;

/// Tensors in file order (by offset). `name` starts every error; `file_index` is copied into the
/// entries. Refused besides broken JSON: overlap, holes, extra bytes, size != shape x dtype,
/// duplicate names, unknown keys, dtypes or metadata types. Bad headers are refused with at most 40
/// MB of extra memory. A file of another kind is named with what to do about it.
Result<std::vector<TensorEntry>> read_safetensors_header(const ReadableFile& file,
                                                         std::string_view name,
                                                         uint32_t file_index);

}  // namespace strata::checkpoint
