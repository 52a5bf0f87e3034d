// Finds the weight files of a folder, opens them, and holds index and shards to one another.
#include "checkpoint/checkpoint.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "checkpoint/file_kind.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/shard_index.h"

namespace strata::checkpoint {
namespace {

constexpr std::string_view kSingleName = "model.safetensors";
constexpr std::string_view kIndexName = "model.safetensors.index.json";
constexpr std::string_view kAdapterName = "adapter_model.safetensors";
constexpr std::string_view kPickleEndings[] = {".bin", ".pt", ".pth", ".pkl", ".ckpt"};

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::binary_search(names, name);
}

std::optional<std::string> first_ending(const std::vector<std::string>& names,
                                        std::string_view ending) {
  const auto found =
      std::ranges::find_if(names, [&](const auto& n) { return n.ends_with(ending); });
  if (found == names.end()) return std::nullopt;
  return *found;
}

// The folder has neither of the two files: say what is there instead.
std::unexpected<Status> explain_missing_weights(const std::vector<std::string>& names) {
  if (const auto gguf = first_ending(names, ".gguf")) {
    return std::unexpected(gguf_not_supported(*gguf));
  }
  if (has(names, kAdapterName)) {
    return fail(Code::kUnsupported, std::string(kAdapterName), "a LoRA adapter", "a whole model",
                "adapters are not read yet; merge it into its base model");
  }
  if (const auto other = first_ending(names, ".safetensors")) {
    return fail(Code::kNotFound, std::string(kSingleName) + " and " + std::string(kIndexName),
                "only " + *other, "one of the two",
                "the download is incomplete or the files were renamed");
  }
  for (const std::string_view ending : kPickleEndings) {
    const auto pickle = first_ending(names, ending);
    // training_args.bin accompanies many models and holds no weights.
    if (!pickle || *pickle == "training_args.bin") continue;
    return fail(Code::kInvalidData, *pickle, "only pickled weights", std::string(kSingleName),
                "pickle is not read: it can run code; load the model with transformers and "
                "save_pretrained() it as safetensors");
  }
  return fail(Code::kNotFound, "no weights in the folder", {},
              std::string(kSingleName) + " or " + std::string(kIndexName));
}

Result<std::unique_ptr<ReadableFile>> open_in_folder(Env& env, const std::string& folder,
                                                     const std::string& name) {
  const std::string path = TRY(path_in_folder(env, folder, name));
  auto file = env.open_readable(path);
  if (!file) return std::unexpected(named_in_folder(std::move(file).error(), path, name));
  return file;
}

Result<ShardIndex> read_index(Env& env, const std::string& folder) {
  const std::string name(kIndexName);
  const auto file = TRY(open_in_folder(env, folder, name));
  return ShardIndex::read(*file, name);
}

}  // namespace

Result<void> Checkpoint::open_file(Env& env, const std::string& folder, const std::string& name) {
  auto file = TRY(open_in_folder(env, folder, name));
  const auto number = static_cast<uint32_t>(files_.size());
  std::vector<TensorEntry> entries = TRY(read_safetensors_header(*file, name, number));
  if (entries_.empty()) {
    entries_ = std::move(entries);
  } else {
    std::ranges::move(entries, std::back_inserter(entries_));
  }
  files_.push_back(std::move(file));
  names_.push_back(name);
  return {};
}

Result<void> Checkpoint::index_names() {
  const auto name_of = [&](uint32_t i) { return std::string_view(entries_[i].name); };
  by_name_.resize(entries_.size());
  for (uint32_t i = 0; i < by_name_.size(); ++i) {
    by_name_[i] = i;
    total_bytes_ += entries_[i].bytes;
  }
  std::ranges::sort(by_name_, {}, name_of);
  const auto twin = std::ranges::adjacent_find(by_name_, {}, name_of);
  if (twin == by_name_.end()) return {};
  return fail(Code::kInvalidData, "tensor \"" + entries_[*twin].name +
                                      "\" is in two files: " + names_[entries_[*twin].file] +
                                      " and " + names_[entries_[*(twin + 1)].file]);
}

Result<void> Checkpoint::check_index(const ShardIndex& index) {
  for (size_t i = 0; i < index.tensor_count(); ++i) {
    const TensorEntry* const entry = find(index.tensor(i));
    if (entry != nullptr && entry->file == index.shard_of(i)) continue;
    return fail(Code::kInvalidData,
                std::string(kIndexName) + ": tensor \"" + std::string(index.tensor(i)) + "\"",
                entry == nullptr ? "in no file" : "in " + names_[entry->file],
                "in " + index.shards()[index.shard_of(i)]);
  }
  if (index.tensor_count() < entries_.size()) {
    warnings_.push_back(std::string(kIndexName) + ": " +
                        std::to_string(entries_.size() - index.tensor_count()) +
                        " tensors of the shards are not listed");
  }
  if (index.total_size() && *index.total_size() != static_cast<double>(total_bytes_)) {
    warnings_.push_back(std::string(kIndexName) + ": metadata.total_size does not match the " +
                        std::to_string(total_bytes_) + " bytes of the tensors");
  }
  return {};
}

Result<Checkpoint> Checkpoint::open(Env& env, const std::string& folder) {
  const std::vector<std::string> names = TRY(env.list_directory(folder));
  Checkpoint checkpoint;
  // A single file wins, as everywhere: an index beside it is left over from a conversion.
  if (has(names, kSingleName)) {
    TRY(checkpoint.open_file(env, folder, std::string(kSingleName)));
    TRY(checkpoint.index_names());
    return checkpoint;
  }
  if (!has(names, kIndexName)) return explain_missing_weights(names);
  const ShardIndex index = TRY(read_index(env, folder));
  for (const std::string& shard : index.shards()) {
    TRY(checkpoint.open_file(env, folder, shard));
  }
  TRY(checkpoint.index_names());
  TRY(checkpoint.check_index(index));
  return checkpoint;
}

const TensorEntry* Checkpoint::find(std::string_view name) const {
  const auto name_of = [&](uint32_t i) { return std::string_view(entries_[i].name); };
  const auto found = std::ranges::lower_bound(by_name_, name, {}, name_of);
  if (found == by_name_.end() || entries_[*found].name != name) return nullptr;
  return &entries_[*found];
}

Result<void> Checkpoint::read(const TensorEntry& entry, uint64_t byte_offset,
                              std::span<std::byte> out) const {
  CHECK(byte_offset <= entry.bytes && out.size() <= entry.bytes - byte_offset,
        "read beyond a tensor");
  auto read = files_[entry.file]->read_at(entry.offset + byte_offset, out);
  if (read) return {};
  return std::unexpected(std::move(read).error().with_context(
      names_[entry.file] + ": tensor \"" + entry.name + "\": " + std::to_string(out.size()) +
      " bytes at byte " + std::to_string(byte_offset)));
}

}  // namespace strata::checkpoint
