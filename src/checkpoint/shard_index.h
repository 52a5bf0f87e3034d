// model.safetensors.index.json: which shard holds which tensor. Streamed, because large models list
// a hundred thousand tensors. Checks the file by itself; whether the shards agree with it is
// checkpoint.cc's question.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/status.h"

namespace strata::checkpoint {

class ShardIndex {
 public:
  /// `name` starts every error. Shard names that are not plain relative *.safetensors names are
  /// refused, as are repeated tensors.
  static Result<ShardIndex> read(const ReadableFile& file, std::string_view name);

  /// Names relative to the model folder, sorted.
  const std::vector<std::string>& shards() const { return shards_; }
  size_t tensor_count() const { return entries_.size(); }
  std::string_view tensor(size_t i) const;
  /// Index into shards() of the shard that must hold tensor i.
  size_t shard_of(size_t i) const { return entries_[i].shard; }
  /// metadata.total_size in bytes, where it is a number.
  std::optional<double> total_size() const { return total_size_; }

 private:
  class Reader;
  struct Entry {
    uint32_t name_start;  // in names_
    uint32_t name_bytes;
    uint32_t shard;
  };

  void sort_shards();
  Result<void> check_unique(std::string_view name);

  std::string names_;  // all tensor names, one after the other
  std::vector<Entry> entries_;
  std::vector<std::string> shards_;
  std::optional<double> total_size_;
};

}  // namespace strata::checkpoint
