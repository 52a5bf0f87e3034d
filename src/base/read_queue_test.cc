// Both queues over real files, past and through the page cache: every byte arrives, whatever the
// system call left over; errors name the file and the byte; faults of an Env reach the caller.
#include "base/read_queue.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "base/fault_env.h"

namespace strata {
namespace {

struct Way {
  IoKind io;
  bool direct;
  size_t most_per_call;
};

struct AlignedMemory {
  explicit AlignedMemory(size_t bytes)
      : data(static_cast<std::byte*>(std::aligned_alloc(kDirectBlock, bytes))), size(bytes) {}
  ~AlignedMemory() { std::free(data); }
  AlignedMemory(const AlignedMemory&) = delete;
  AlignedMemory& operator=(const AlignedMemory&) = delete;
  std::span<std::byte> span() const { return {data, size}; }

  std::byte* data;
  size_t size;
};

std::vector<std::byte> random_bytes(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

class ReadQueueTest : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/queue_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string put(const std::string& name, std::span<const std::byte> bytes) {
    const std::string path = join_path(folder_, name);
    auto file = real_env().open_writable(path, WriteMode::kTruncate);
    EXPECT_TRUE(file && (*file)->write(bytes) && (*file)->sync() && (*file)->close());
    return path;
  }

  ReadQueueConfig config(std::vector<std::string> paths) const {
    return {.paths = std::move(paths),
            .io = GetParam().io,
            .depth = 4,
            .direct = GetParam().direct,
            .most_per_call = GetParam().most_per_call};
  }

  std::string folder_;
};

// Submits all, at most the queue's depth at a time, and collects the outcomes by id.
std::map<uint64_t, Status> failures(ReadQueue& queue, const std::vector<ReadRequest>& requests) {
  std::map<uint64_t, Status> failed;
  std::vector<ReadOutcome> outcomes;
  size_t submitted = 0, ended = 0;
  while (ended < requests.size()) {
    while (submitted < requests.size() && submitted - ended < 4)
      queue.submit(requests[submitted++]);
    outcomes.clear();
    queue.wait(outcomes);
    ended += outcomes.size();
    for (ReadOutcome& outcome : outcomes) {
      if (!outcome.status) failed.emplace(outcome.id, outcome.status.error());
    }
  }
  return failed;
}

TEST_P(ReadQueueTest, DeliversEveryByteOfTwoFiles) {
  const auto first = random_bytes(300'000, 1), second = random_bytes(70'001, 2);
  const std::vector<std::string> paths = {put("a", first), put("b", second)};
  const AlignedMemory memory(512 << 10);
  ReadQueueConfig wanted = config(paths);
  wanted.buffer = memory.span();
  const auto queue = real_env().open_read_queue(wanted);
  ASSERT_TRUE(queue) << queue.error().message();
  std::vector<ReadRequest> requests;
  size_t place = 0;
  for (const auto& [file, size] : {std::pair<size_t, size_t>{0, 300'000}, {1, 70'001}}) {
    for (size_t at = 0; at < size; at += 5 * kDirectBlock) {
      requests.push_back({requests.size(), file, at,
                          memory.span().subspan(place + at, 5 * kDirectBlock),
                          std::min(size - at, 5 * kDirectBlock)});
    }
    place += 400 << 10;
  }
  std::ranges::shuffle(requests, std::mt19937(3));
  EXPECT_TRUE(failures(**queue, requests).empty());
  EXPECT_TRUE(std::ranges::equal(memory.span().first(first.size()), first));
  EXPECT_TRUE(std::ranges::equal(memory.span().subspan(400 << 10, second.size()), second));
}

TEST_P(ReadQueueTest, FileCutShortIsNamedWithTheByteWhereItEnds) {
  const std::string path = put("a", random_bytes(100'000, 1));
  const auto queue = real_env().open_read_queue(config({path}));
  ASSERT_TRUE(queue);
  ASSERT_TRUE(real_env().truncate_file(path, 50'000));
  const AlignedMemory memory(128 << 10);
  const auto failed = failures(**queue, {{7, 0, 32768, memory.span().first(96 << 10), 60'000},
                                         {8, 0, 0, memory.span().subspan(96 << 10), 32768}});
  ASSERT_EQ(failed.size(), 1u);
  const Status& status = failed.at(7);
  EXPECT_EQ(status.code, Code::kInvalidData);
  EXPECT_EQ(status.what, path + ": truncated: the file ends inside the bytes to read");
  EXPECT_EQ(status.got, "50000 bytes");
  EXPECT_EQ(status.expected, "92768 bytes");
}

TEST_P(ReadQueueTest, RefusedReadNamesFileAndByte) {
  const std::string path = put("a", random_bytes(100'000, 1));
  const auto queue = real_env().open_read_queue(config({path}));
  ASSERT_TRUE(queue);
  // Memory that nobody may write to: EFAULT.
  std::byte* nowhere = reinterpret_cast<std::byte*>(kDirectBlock);
  const auto failed = failures(**queue, {{1, 0, 8192, {nowhere, kDirectBlock}, kDirectBlock}});
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed.at(1).code, Code::kIo);
  EXPECT_EQ(failed.at(1).what, path + ": cannot read at byte 8192: Bad address");
}

TEST_P(ReadQueueTest, MissingFilesAndFoldersAreRefused) {
  const auto missing = real_env().open_read_queue(config({join_path(folder_, "none")}));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  const auto folder = real_env().open_read_queue(config({folder_}));
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, Code::kInvalidData);
}

TEST_P(ReadQueueTest, ReadsUnderWayEndBeforeTheQueueDoes) {
  const AlignedMemory memory(4 * 65536);
  const auto bytes = random_bytes(65536, 1);
  {
    const auto queue = real_env().open_read_queue(config({put("a", bytes)}));
    ASSERT_TRUE(queue);
    for (size_t i = 0; i < 4; i++) {
      (*queue)->submit({i, 0, 0, memory.span().subspan(i * 65536, 65536), 65536});
    }
  }
  std::ranges::fill(memory.span(), std::byte{7});  // nobody writes here any more
  EXPECT_TRUE(std::ranges::all_of(memory.span(), [](std::byte b) { return b == std::byte{7}; }));
}

TEST_P(ReadQueueTest, FaultAtEveryReadHitsThatRequestAlone) {
  const std::string path = put("a", random_bytes(80 * 1024, 1));
  const AlignedMemory memory(80 * 1024);
  std::vector<ReadRequest> requests;
  for (uint64_t i = 0; i < 10; i++) {
    requests.push_back({i, 0, i * 8192, memory.span().subspan(i * 8192, 8192), 8192});
  }
  for (const auto kind : {FaultPlan::Kind::kError, FaultPlan::Kind::kShortRead}) {
    for (int64_t n = 0; n < 10; n++) {
      // Opening the queue counts as a call that an error can hit.
      const int64_t first = kind == FaultPlan::Kind::kError ? 1 : 0;
      FaultEnv env(real_env(), {.kind = kind, .fail_call = first + n});
      const auto queue = env.open_read_queue(config({path}));
      ASSERT_TRUE(queue);
      const auto failed = failures(**queue, requests);
      ASSERT_EQ(failed.size(), 1u);
      EXPECT_EQ(failed.begin()->first, static_cast<uint64_t>(n));
    }
  }
}

// Where the kernel keeps io_uring from us (containers often do), pread alone is what there is.
std::vector<Way> ways() {
  std::vector<Way> all;
  for (const IoKind io : {IoKind::kUring, IoKind::kPread}) {
    const auto queue = real_env().open_read_queue({.paths = {"/proc/self/exe"}, .io = io});
    if (!queue && queue.error().code == Code::kUnavailable) continue;
    all.push_back({io, true, size_t{1} << 30});
    all.push_back({io, true, 2 * kDirectBlock});
    all.push_back({io, false, size_t{1} << 30});
  }
  return all;
}

std::string name_of(const ::testing::TestParamInfo<Way>& info) {
  const Way& way = info.param;
  return std::string(way.io == IoKind::kUring ? "uring" : "pread") +
         (way.direct ? "_direct" : "_buffered") + (way.most_per_call < 1 << 20 ? "_short" : "");
}

INSTANTIATE_TEST_SUITE_P(AllWays, ReadQueueTest, ::testing::ValuesIn(ways()), name_of);

TEST(ReadQueueChoiceTest, NamesAreParsedAndOthersRefused) {
  EXPECT_EQ(*parse_io_kind("auto"), IoKind::kAuto);
  EXPECT_EQ(*parse_io_kind("uring"), IoKind::kUring);
  EXPECT_EQ(*parse_io_kind("pread"), IoKind::kPread);
  const auto wrong = parse_io_kind("mmap");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().what, "--io");
}

}  // namespace
}  // namespace strata
