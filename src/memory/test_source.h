// A UnitSource over temporary files of random bytes, which it remembers: for tests of this folder.
// "Finishing" a unit is putting its pieces one behind the other.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "base/env.h"
#include "memory/unit_source.h"

namespace strata::memory {

class TestSource : public UnitSource {
 public:
  struct Shape {
    uint32_t seed = 0;
    size_t units = 4;
    size_t pieces = 1;  // of each unit
    int64_t least = 1;  // bytes of a piece
    int64_t most = 60'000;
    bool on_disk = true;
    bool checksums = false;
    bool ready_made = false;  // one piece each, at whole blocks
    size_t parts = 1;         // of the last unit, where it is ready-made
  };

  explicit TestSource(const Shape& shape) : ready_made_(shape.ready_made) {
    std::mt19937 random(shape.seed);
    std::string pattern = ::testing::TempDir() + "/units_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    for (size_t f = 0; f < 2; f++) paths_.push_back(join_path(folder_, std::to_string(f)));
    files_.resize(2);
    for (size_t u = 0; u < shape.units; u++) add_unit(u, shape, random);
    cut_last_unit(shape.parts);
    for (size_t f = 0; f < 2 && shape.on_disk; f++) write_file(f);
  }
  ~TestSource() override { std::filesystem::remove_all(folder_); }
  TestSource(const TestSource&) = delete;
  TestSource& operator=(const TestSource&) = delete;

  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<StoredUnit>& units() const override { return units_; }
  const std::vector<StoredUnit>& parts() const override { return parts_; }
  bool ready_made() const override { return ready_made_; }
  Result<void> finish(size_t unit, RawUnit raw, std::span<std::byte> out) const override {
    EXPECT_EQ(static_cast<int64_t>(out.size()), units_[unit].bytes);
    for (const auto& piece : raw) {
      std::memcpy(out.data(), piece.data(), piece.size());
      out = out.subspan(piece.size());
    }
    return {};
  }

  /// Whether these are the unit's pieces.
  bool equal(size_t unit, RawUnit raw) const {
    return std::ranges::equal(raw, pieces_of(unit), [](const auto& a, const auto& b) {
      return std::ranges::equal(a, b);
    });
  }
  /// The unit in "compute layout".
  std::vector<std::byte> whole(size_t unit) const {
    std::vector<std::byte> all;
    for (const auto& piece : pieces_of(unit)) all.insert(all.end(), piece.begin(), piece.end());
    return all;
  }
  /// Turns one byte of a unit on disk.
  void spoil(size_t unit) {
    const UnitPiece& piece = units_[unit].pieces.front();
    files_[piece.file][piece.offset] ^= std::byte{1};
    write_file(piece.file);
  }

 private:
  void add_unit(size_t number, const Shape& shape, std::mt19937& random) {
    StoredUnit unit{.name = "u" + std::to_string(number)};
    const size_t file = random() % 2;
    for (size_t p = 0; p < shape.pieces; p++) {
      std::vector<std::byte>& bytes = files_[file];
      if (random() % 2 == 0) bytes.resize(bytes.size() + random() % 9000);  // others' bytes
      if (ready_made_) bytes.resize((bytes.size() + 4095) / 4096 * 4096);
      const auto size = static_cast<size_t>(
          shape.least +
          static_cast<int64_t>(random() % static_cast<uint64_t>(shape.most - shape.least + 1)));
      unit.pieces.push_back({file, bytes.size(), static_cast<int64_t>(size)});
      unit.bytes += static_cast<int64_t>(size);
      for (size_t i = 0; i < size; i++) bytes.push_back(static_cast<std::byte>(random()));
    }
    units_.push_back(std::move(unit));
    if (shape.checksums) units_.back().checksum = checksum_of(whole(number));
  }

  // Parts begin at cache lines, as those of models do.
  void cut_last_unit(size_t parts) {
    parts_ = units_;
    if (parts == 1) return;
    StoredUnit& last = units_.back();
    last.parts = parts;
    parts_.pop_back();
    const UnitPiece& whole = last.pieces.front();
    const int64_t step = (whole.bytes / static_cast<int64_t>(parts)) / 64 * 64;
    for (size_t i = 0; i < parts; i++) {
      const int64_t at = static_cast<int64_t>(i) * step;
      const int64_t bytes = i + 1 == parts ? whole.bytes - at : step;
      parts_.push_back({.name = last.name,
                        .pieces = {{whole.file, whole.offset + static_cast<uint64_t>(at), bytes}},
                        .bytes = bytes});
    }
  }

  std::vector<std::span<const std::byte>> pieces_of(size_t unit) const {
    std::vector<std::span<const std::byte>> pieces;
    for (const UnitPiece& piece : units_[unit].pieces) {
      pieces.push_back(
          std::span(files_[piece.file]).subspan(piece.offset, static_cast<size_t>(piece.bytes)));
    }
    return pieces;
  }

  void write_file(size_t number) const {
    auto file = real_env().open_writable(paths_[number], WriteMode::kTruncate);
    EXPECT_TRUE(file && (*file)->write(std::span<const std::byte>(files_[number])) &&
                (*file)->sync() && (*file)->close());
  }

  const bool ready_made_;
  std::string folder_;
  std::vector<std::string> paths_;
  std::vector<std::vector<std::byte>> files_;
  std::vector<StoredUnit> units_;
  std::vector<StoredUnit> parts_;
};

}  // namespace strata::memory
