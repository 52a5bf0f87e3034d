// The index file's grammar: {"metadata": {...}, "weight_map": {tensor: shard}}; other members are
// skipped.
#include "checkpoint/shard_index.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "checkpoint/json_scanner.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/safetensors.h"

namespace strata::checkpoint {
namespace {

// Three times the largest index known (140,000 tensors); with the limits below a bad one costs
// under 48 MB.
constexpr uint64_t kMaxIndexBytes = 32 << 20;
constexpr size_t kMaxIndexTensors = 1 << 20;
constexpr size_t kMaxShards = 4096;
constexpr size_t kMaxShardNameBytes = 255;

}  // namespace

class ShardIndex::Reader {
 public:
  Reader(const ReadableFile& file, std::string_view name, ShardIndex& index)
      : scanner_(file, name, 0, file.size()), index_(index), name_(name) {}

  Result<void> run() {
    bool metadata = false, weight_map = false;
    const auto read_member = [&](const std::string& key) -> Result<void> {
      if (key == "metadata") {
        if (std::exchange(metadata, true)) return scanner_.error("a second metadata");
        return read_metadata();
      }
      if (key != "weight_map") return scanner_.skip_value();
      if (std::exchange(weight_map, true)) return scanner_.error("a second weight_map");
      return read_weight_map();
    };
    TRY(scanner_.expect('{'));
    TRY(scanner_.each_member(kMaxTensorNameBytes, read_member));
    if (scanner_.peek() >= 0) return scanner_.error("bytes after the JSON");
    if (index_.entries_.empty()) {
      return fail(Code::kInvalidData, std::string(name_) + ": weight_map",
                  weight_map ? "an empty one" : "none", "tensor names mapped to files");
    }
    return {};
  }

 private:
  Result<void> read_metadata() {
    const auto read_value = [&](const std::string& key) -> Result<void> {
      const int first = scanner_.peek();
      if (key != "total_size" || first == '{' || first == '[' || first == '"') {
        return scanner_.skip_value();
      }
      const std::string text = TRY(scanner_.read_literal());
      char* end = nullptr;
      const double value = std::strtod(text.c_str(), &end);
      if (end != text.c_str()) index_.total_size_ = value;
      return {};
    };
    if (scanner_.peek() != '{') return scanner_.skip_value();
    TRY(scanner_.expect('{'));
    return scanner_.each_member(kMaxTensorNameBytes, read_value);
  }

  Result<void> read_weight_map() {
    std::string shard;
    const auto read_entry = [&](const std::string& tensor) -> Result<void> {
      TRY(scanner_.read_string(&shard, kMaxShardNameBytes));
      if (index_.entries_.size() == kMaxIndexTensors) {
        return scanner_.error("too many tensors", Code::kResourceLimit);
      }
      const uint32_t number = TRY(shard_number(tensor, shard));
      index_.entries_.push_back({static_cast<uint32_t>(index_.names_.size()),
                                 static_cast<uint32_t>(tensor.size()), number});
      index_.names_ += tensor;
      return {};
    };
    TRY(scanner_.expect('{'));
    return scanner_.each_member(kMaxTensorNameBytes, read_entry);
  }

  Result<uint32_t> shard_number(const std::string& tensor, const std::string& shard) {
    const auto known = numbers_.find(shard);
    if (known != numbers_.end()) return known->second;
    if (!is_safe_relative_name(shard) || !shard.ends_with(".safetensors")) {
      return fail(Code::kInvalidData, std::string(name_) + ": weight_map: \"" + tensor + "\"",
                  shard, "the name of a .safetensors file in this folder");
    }
    if (numbers_.size() == kMaxShards) {
      return scanner_.error("more than 4096 shards", Code::kResourceLimit);
    }
    const auto number = static_cast<uint32_t>(numbers_.size());
    numbers_.emplace(shard, number);
    index_.shards_.push_back(shard);
    return number;
  }

  JsonScanner scanner_;
  ShardIndex& index_;
  std::string_view name_;
  std::map<std::string, uint32_t> numbers_;
};

std::string_view ShardIndex::tensor(size_t i) const {
  return std::string_view(names_).substr(entries_[i].name_start, entries_[i].name_bytes);
}

void ShardIndex::sort_shards() {
  std::vector<uint32_t> order(shards_.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](uint32_t i) { return std::string_view(shards_[i]); });
  std::vector<std::string> sorted;
  std::vector<uint32_t> place(order.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    sorted.push_back(std::move(shards_[order[i]]));
  }
  shards_ = std::move(sorted);
  for (Entry& entry : entries_) entry.shard = place[entry.shard];
}

Result<void> ShardIndex::check_unique(std::string_view name) {
  const auto text = [&](const Entry& entry) {
    return std::string_view(names_).substr(entry.name_start, entry.name_bytes);
  };
  std::ranges::sort(entries_, {}, text);
  const auto twin = std::ranges::adjacent_find(entries_, {}, text);
  if (twin == entries_.end()) return {};
  return fail(Code::kInvalidData, std::string(name) + ": weight_map: tensor \"" +
                                      std::string(text(*twin)) + "\" is there twice");
}

Result<ShardIndex> ShardIndex::read(const ReadableFile& file, std::string_view name) {
  if (file.size() > kMaxIndexBytes) {
    return fail(Code::kResourceLimit, std::string(name) + ": file size",
                std::to_string(file.size()) + " bytes",
                "at most " + std::to_string(kMaxIndexBytes));
  }
  ShardIndex index;
  index.names_.reserve(file.size());
  TRY(Reader(file, name, index).run());
  index.sort_shards();
  TRY(index.check_unique(name));
  return index;
}

}  // namespace strata::checkpoint
