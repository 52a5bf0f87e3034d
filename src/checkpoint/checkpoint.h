// The weights of a model folder as named byte ranges in files: one model.safetensors, or shards
// with an index. Opened once, checked wholly, then read by any number of threads. Knows no model:
// names and shapes are the spec's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "checkpoint/safetensors.h"

namespace strata::checkpoint {

class ShardIndex;

/// Immutable after open(); every method may be called from many threads at once. Holds its files
/// open.
class Checkpoint {
 public:
  /// `folder`: a model folder as resolve_model() gives it. Files are named relative to it in
  /// errors. kNotFound where there are no weights, kUnsupported for GGUF, kInvalidData for
  /// everything that contradicts itself.
  static Result<Checkpoint> open(Env& env, const std::string& folder);

  /// All tensors, ordered by file, then offset: reading in this order is sequential.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  /// nullptr where there is none of that name.
  const TensorEntry* find(std::string_view name) const;
  /// Sum of all tensors' bytes (headers not counted).
  uint64_t total_bytes() const { return total_bytes_; }

  /// Fills `out` from the tensor's bytes starting at `byte_offset` within it; the range must lie
  /// inside the tensor. Failures name file, tensor and offset.
  Result<void> read(const TensorEntry& entry, uint64_t byte_offset, std::span<std::byte> out) const;

  size_t file_count() const { return files_.size(); }
  const std::string& file_name(size_t file) const { return names_[file]; }
  const ReadableFile& file(size_t file) const { return *files_[file]; }

  /// What is odd but harmless (a wrong total_size), one line each, for the caller to show.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Checkpoint() = default;
  Result<void> open_file(Env& env, const std::string& folder, const std::string& name);
  Result<void> index_names();
  Result<void> check_index(const ShardIndex& index);

  std::vector<std::string> names_;
  std::vector<std::unique_ptr<ReadableFile>> files_;
  std::vector<TensorEntry> entries_;
  std::vector<uint32_t> by_name_;  // indices into entries_, sorted by name
  uint64_t total_bytes_ = 0;
  std::vector<std::string> warnings_;
};

}  // namespace strata::checkpoint
