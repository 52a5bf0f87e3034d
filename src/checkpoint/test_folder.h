// A temporary model folder and safetensors bytes, for the tests of this layer and of those above
// it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/env.h"

namespace strata::checkpoint {

/// Removed with everything in it on destruction.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = ::testing::TempDir() + "/model_XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = std::filesystem::canonical(pattern);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

  /// Writes a file, with its parents; returns its path.
  std::string put(const std::string& name, std::string_view bytes) const {
    const std::filesystem::path file = path(name);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }
  void link(const std::string& target, const std::string& name) const {
    const std::filesystem::path file = path(name);
    std::filesystem::create_directories(file.parent_path());
    std::filesystem::create_symlink(target, file);
  }

 private:
  std::string path_;
};

/// A file that is only in memory.
class MemoryFile : public ReadableFile {
 public:
  explicit MemoryFile(std::string_view bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  Result<void> read_at(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return fail(Code::kInvalidData, "truncated: read past the end");
    }
    std::copy_n(std::as_bytes(std::span(bytes_)).begin() + static_cast<std::ptrdiff_t>(offset),
                out.size(), out.begin());
    return {};
  }

 private:
  std::string bytes_;
};

/// Length, header and `data_bytes` bytes 0, 1, 2, ... of data.
inline std::string safetensors_bytes(std::string_view header, size_t data_bytes) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(uint64_t{header.size()} >> (8 * i) & 255);
  out += header;
  for (size_t i = 0; i < data_bytes; ++i) out += static_cast<char>(i & 255);
  return out;
}

/// One header member: `"name":{"dtype":...,"shape":...,"data_offsets":[begin,end]}`.
inline std::string tensor_json(std::string_view name, std::string_view dtype,
                               std::string_view shape, uint64_t begin, uint64_t end) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, dtype,
                     shape, begin, end);
}

/// "{a,b,c}": a header of these members.
inline std::string header_json(std::initializer_list<std::string_view> members) {
  std::string out = "{";
  for (const std::string_view member : members) (out += member) += ',';
  if (members.size() > 0) out.pop_back();
  return out += '}';
}

}  // namespace strata::checkpoint
