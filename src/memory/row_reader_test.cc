// Rows of a file of random bytes: each that is asked for comes once with its bytes, however many
// there are and wherever they lie; a failed read names the table and leaves nothing behind.
#include "memory/row_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>

#include "base/fault_env.h"
#include "device/cpu_device.h"

namespace strata::memory {
namespace {

class RowReaderTest : public ::testing::Test {
 protected:
  ~RowReaderTest() override { std::filesystem::remove(path_); }

  // A file whose rows begin at `offset`, and a reader of them.
  Result<std::unique_ptr<RowReader>> make(uint64_t offset, int64_t row_bytes, int64_t rows,
                                          IoKind io = IoKind::kAuto) {
    std::mt19937 random(3);
    table_ = {.name = "unit table", .offset = offset, .row_bytes = row_bytes, .rows = rows};
    file_.resize(offset + static_cast<size_t>(row_bytes * rows));
    for (std::byte& byte : file_) byte = static_cast<std::byte>(random());
    write();
    return RowReader::create(*env_, device_, account_, {path_}, table_, io);
  }
  void write() const {
    auto file = real_env().open_writable(path_, WriteMode::kTruncate);
    EXPECT_TRUE(file && (*file)->write(std::span<const std::byte>(file_)) && (*file)->close());
  }

  // How often each row came, all of them with their bytes.
  std::map<int64_t, int> take(RowReader& reader) {
    std::map<int64_t, int> seen;
    const auto taken = reader.take(
        [&](int64_t row, std::span<const std::byte> bytes) -> Result<void> {
          seen[row]++;
          const auto at = table_.offset + static_cast<size_t>(row * table_.row_bytes);
          EXPECT_TRUE(std::ranges::equal(
              bytes, std::span(file_).subspan(at, static_cast<size_t>(table_.row_bytes))))
              << row;
          return {};
        },
        {});
    EXPECT_TRUE(taken) << taken.error().message();
    return seen;
  }
  void expect_all(RowReader& reader, const std::vector<int64_t>& rows) {
    reader.ask(rows);
    const auto seen = take(reader);
    EXPECT_EQ(seen.size(), rows.size());
    for (const int64_t row : rows) EXPECT_EQ(seen.contains(row) ? seen.at(row) : 0, 1) << row;
  }

  Env* env_ = &real_env();
  device::CpuDevice device_;
  MemoryAccount account_;
  const std::string path_ = ::testing::TempDir() + "/rows" + std::to_string(::getpid());
  std::vector<std::byte> file_;
  RowTable table_;
};

std::vector<int64_t> some_rows(std::mt19937& random, int64_t rows, size_t count) {
  std::vector<int64_t> some;
  for (size_t i = 0; i < count; i++) {
    some.push_back(static_cast<int64_t>(random() % static_cast<uint64_t>(rows)));
  }
  some.push_back(0);
  some.push_back(rows - 1);
  std::ranges::sort(some);
  some.erase(std::ranges::unique(some).begin(), some.end());
  return some;
}

TEST_F(RowReaderTest, EveryRowComesOnceWhateverTheSizes) {
  std::mt19937 random(1);
  for (int run = 0; run < 24; run++) {
    const auto row_bytes = static_cast<int64_t>(1 + random() % 9000);
    const auto rows = static_cast<int64_t>(1 + random() % 900);
    const auto reader =
        make(random() % 9000, row_bytes, rows, run % 2 == 0 ? IoKind::kAuto : IoKind::kPread);
    ASSERT_TRUE(reader) << reader.error().message();
    for (const size_t count : {0, 3, 400}) expect_all(**reader, some_rows(random, rows, count));
    expect_all(**reader, {});
  }
  EXPECT_EQ(account_.total(), 0);
}

// More bytes than the buffer, and rows larger than a place would otherwise be.
TEST_F(RowReaderTest, MoreRowsThanTheBufferGoThroughIt) {
  constexpr int64_t kRow = 150'000, kRows = 60;
  const auto reader = make(4096 + 100, kRow, kRows);
  ASSERT_TRUE(reader) << reader.error().message();
  EXPECT_GT(kRow * kRows, RowReader::buffer_bytes(kRow));
  std::vector<int64_t> all;
  for (int64_t row = 0; row < kRows; row++) all.push_back(row);
  expect_all(**reader, all);
  EXPECT_EQ((*reader)->stats().reads, kRows);
  EXPECT_LE((*reader)->stats().read_bytes, kRows * RowReader::read_bytes(kRow));
}

TEST_F(RowReaderTest, NeighboursShareARead) {
  const auto reader = make(100, 512, 1000);
  ASSERT_TRUE(reader);
  expect_all(**reader, {10, 11, 12, 20});
  EXPECT_EQ((*reader)->stats().reads, 1) << "within two blocks of the disk";
  expect_all(**reader, {10, 900});
  EXPECT_EQ((*reader)->stats().reads, 3);
}

TEST_F(RowReaderTest, WhatIsAskedAnewForgetsWhatWasAskedBefore) {
  const auto reader = make(0, 4096, 300);
  ASSERT_TRUE(reader);
  (*reader)->ask({1, 2, 3, 250});
  expect_all(**reader, {5, 7});
}

TEST_F(RowReaderTest, FailedReadsNameTheTableAndTheNextOnesAreRight) {
  using Kind = FaultPlan::Kind;
  for (const Kind kind : {Kind::kError, Kind::kShortRead}) {
    for (int64_t call = 1; call < 40; call += 3) {
      FaultEnv env(real_env(), {.kind = kind, .fail_call = call});
      env_ = &env;
      const auto reader = make(50, 70'000, 40);
      ASSERT_TRUE(reader) << reader.error().message();
      std::vector<int64_t> all;
      for (int64_t row = 0; row < 40; row++) all.push_back(row);
      (*reader)->ask(all);
      const auto taken = (*reader)->take([](auto, auto) { return Result<void>(); }, {});
      ASSERT_FALSE(taken) << call;
      EXPECT_EQ(taken.error().code, kind == Kind::kError ? Code::kIo : Code::kInvalidData);
      EXPECT_TRUE(taken.error().what.starts_with("unit table: its rows: ")) << taken.error().what;
      expect_all(**reader, all);
    }
  }
}

TEST_F(RowReaderTest, AFileThatWasCutShortIsNamed) {
  const auto reader = make(0, 4096, 100);
  ASSERT_TRUE(reader);
  file_.resize(50 * 4096 + 5);
  write();
  (*reader)->ask({1, 50});
  const auto taken = (*reader)->take([](auto, auto) { return Result<void>(); }, {});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kInvalidData);
  EXPECT_NE(taken.error().message().find(path_), std::string::npos) << taken.error().message();
  expect_all(**reader, {0, 49});
}

TEST_F(RowReaderTest, AStopAndASinkEndTheReading) {
  const auto reader = make(0, 70'000, 60);
  ASSERT_TRUE(reader);
  std::vector<int64_t> all;
  for (int64_t row = 0; row < 60; row++) all.push_back(row);
  (*reader)->ask(all);
  const auto stopped =
      (*reader)->take([](auto, auto) { return Result<void>(); }, [](bool) { return true; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  (*reader)->ask(all);
  const auto refused = (*reader)->take(
      [](auto, auto) -> Result<void> { return fail(Code::kInvalidData, "no"); }, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, "no");
  expect_all(**reader, all);
}

TEST_F(RowReaderTest, BufferIsChargedToTheRing) {
  const auto reader = make(0, 8192, 10);
  ASSERT_TRUE(reader);
  EXPECT_EQ(account_.bytes(MemoryTag::kRing), RowReader::buffer_bytes(8192));
  EXPECT_EQ(RowReader::buffer_bytes(8192), 2 << 20);
}

}  // namespace
}  // namespace strata::memory
