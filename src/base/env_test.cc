// Real files in a temporary folder: what opens, what is refused at once, and that a fault at any
// call is one clean Status.
#include "base/env.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/fault_env.h"

namespace strata {
namespace {

class EnvTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/env_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return join_path(folder_, name); }

  std::string put(const std::string& name, std::string_view text) {
    auto file = env_.open_writable(path(name), WriteMode::kTruncate);
    EXPECT_TRUE(file && (*file)->write(text) && (*file)->close());
    return path(name);
  }

  Env& env_ = real_env();
  std::string folder_;
};

std::span<std::byte> bytes_of(std::string& text) { return std::as_writable_bytes(std::span(text)); }

TEST_F(EnvTest, ReadsBackWhatWasWritten) {
  const auto file = env_.open_readable(put("a", "hello world"));
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->size(), 11u);
  std::string middle(5, ' ');
  ASSERT_TRUE((*file)->read_at(6, bytes_of(middle)));
  EXPECT_EQ(middle, "world");
  EXPECT_TRUE((*file)->read_at(11, {}));
}

TEST_F(EnvTest, AppendKeepsAndTruncateReplaces) {
  put("a", "one");
  auto more = env_.open_writable(path("a"), WriteMode::kAppend);
  ASSERT_TRUE(more && (*more)->write("two") && (*more)->sync() && (*more)->close());
  EXPECT_EQ(*env_.read_small_file(path("a"), 100), "onetwo");
  put("a", "x");
  EXPECT_EQ(*env_.read_small_file(path("a"), 100), "x");
}

TEST_F(EnvTest, KeptFilesAreChangedByOffset) {
  put("a", "one two");
  auto file = env_.open_writable(path("a"), WriteMode::kKeep);
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  ASSERT_TRUE(file && (*file)->write_at(4, bytes("2.0")) && (*file)->write_at(9, bytes("3")));
  ASSERT_TRUE((*file)->flush_range(0, 10) && (*file)->drop_cached(0, 10) && (*file)->close());
  EXPECT_EQ(*env_.read_small_file(path("a"), 100), std::string("one 2.0\0\0"
                                                               "3",
                                                               10));
}

TEST_F(EnvTest, ALockedFileIsBusyUntilItIsClosed) {
  auto first = env_.open_writable(put("a", "x"), WriteMode::kKeep);
  auto second = env_.open_writable(path("a"), WriteMode::kKeep);
  ASSERT_TRUE(first && second && (*first)->lock());
  const auto refused = (*second)->lock();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kBusy);
  EXPECT_NE(refused.error().message().find(path("a")), std::string::npos);
  ASSERT_TRUE((*first)->close());
  EXPECT_TRUE((*second)->lock());
}

TEST_F(EnvTest, RenamingReplaces) {
  put("a", "new");
  put("b", "old");
  ASSERT_TRUE(env_.rename_file(path("a"), path("b")));
  EXPECT_FALSE(env_.exists(path("a")));
  EXPECT_EQ(*env_.read_small_file(path("b"), 100), "new");
  EXPECT_EQ(env_.rename_file(path("a"), path("b")).error().code, Code::kNotFound);
  EXPECT_EQ(*env_.read_small_file(path("b"), 100), "new");
}

TEST_F(EnvTest, FreeSpaceIsThatOfTheFolder) {
  const auto free = env_.free_disk_bytes(folder_);
  ASSERT_TRUE(free);
  EXPECT_GT(*free, 0u);
  EXPECT_LT(*free, uint64_t{1} << 60);
  EXPECT_FALSE(env_.free_disk_bytes(path("missing")));
}

TEST_F(EnvTest, WritingAfterCloseFails) {
  auto file = env_.open_writable(path("a"), WriteMode::kTruncate);
  ASSERT_TRUE(file && (*file)->close());
  const auto late = (*file)->write("x");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kIo);
}

TEST_F(EnvTest, ReadPastTheEndIsTruncation) {
  const auto file = env_.open_readable(put("a", "0123456789"));
  ASSERT_TRUE(file);
  std::string out(4, ' ');
  const auto read = (*file)->read_at(8, bytes_of(out));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kInvalidData);
  EXPECT_EQ(read.error().got, "10 bytes");
  EXPECT_EQ(read.error().expected, "12 bytes");
}

TEST_F(EnvTest, FileCutAfterOpeningIsTruncation) {
  const auto file = env_.open_readable(put("a", "0123456789"));
  ASSERT_TRUE(file);
  ASSERT_EQ(::truncate(path("a").c_str(), 3), 0);
  std::string out(10, ' ');
  EXPECT_FALSE((*file)->read_at(0, bytes_of(out)));
}

TEST_F(EnvTest, ManyThreadsReadOneFile) {
  std::string text(1 << 16, ' ');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  const auto file = env_.open_readable(put("a", text));
  ASSERT_TRUE(file);
  std::vector<std::string> parts(4, std::string(text.size() / 4, ' '));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < parts.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) {
        EXPECT_TRUE((*file)->read_at(i * parts[i].size(), bytes_of(parts[i])));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(parts[0] + parts[1] + parts[2] + parts[3], text);
}

void expect_no_regular_file(Env& env, const std::string& path) {
  for (const bool write : {false, true}) {
    const Code code = write ? [&] {
      const auto file = env.open_writable(path, WriteMode::kTruncate);
      return file ? Code::kCancelled : file.error().code;
    }()
                            : [&] {
                                const auto file = env.open_readable(path);
                                return file ? Code::kCancelled : file.error().code;
                              }();
    EXPECT_EQ(code, Code::kInvalidData) << path << (write ? " for writing" : " for reading");
  }
}

TEST_F(EnvTest, RefusesWhatIsNoRegularFileAtOnce) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  expect_no_regular_file(env_, path("fifo"));
  expect_no_regular_file(env_, folder_);
  expect_no_regular_file(env_, "/dev/zero");

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = path("socket");
  ASSERT_LT(name.size(), sizeof(address.sun_path));
  name.copy(address.sun_path, name.size());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  expect_no_regular_file(env_, name);
  ::close(socket);
}

TEST_F(EnvTest, LinkLoopsAreNamed) {
  std::filesystem::create_symlink(path("b"), path("a"));
  std::filesystem::create_symlink(path("a"), path("b"));
  const auto file = env_.open_readable(path("a"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kInvalidData);
  EXPECT_FALSE(env_.canonical_path(path("a")));
}

TEST_F(EnvTest, MissingFilesAndBadPaths) {
  const auto missing = env_.open_readable(path("none"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_NE(missing.error().what.find(path("none")), std::string::npos);
  EXPECT_EQ(env_.open_readable("").error().code, Code::kInvalidArgument);
  put("a", "x");
  const std::string with_nul = path("a") + std::string("\0b", 2);
  EXPECT_EQ(env_.open_readable(with_nul).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(env_.exists(with_nul));
  EXPECT_FALSE(env_.is_directory(folder_ + std::string("\0b", 2)));
}

TEST_F(EnvTest, UnreadableFileIsNamed) {
  put("a", "x");
  ASSERT_EQ(::chmod(path("a").c_str(), 0), 0);
  const bool root = ::geteuid() == 0;  // root may read everything: look as nobody does
  ASSERT_EQ(::seteuid(root ? 65534 : ::geteuid()), 0);
  const auto file = env_.open_readable(path("a"));
  ASSERT_EQ(::seteuid(root ? 0 : ::geteuid()), 0);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kNotFound);
  EXPECT_NE(file.error().what.find(path("a")), std::string::npos);
}

TEST_F(EnvTest, SmallFileLimitIsExact) {
  put("a", "12345");
  EXPECT_EQ(*env_.read_small_file(path("a"), 5), "12345");
  const auto over = env_.read_small_file(path("a"), 4);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::kResourceLimit);
}

TEST_F(EnvTest, HugeSparseFileIsRefusedUnread) {
  put("a", "x");
  ASSERT_EQ(::truncate(path("a").c_str(), off_t{1} << 40), 0);
  EXPECT_EQ(env_.read_small_file(path("a"), 1 << 20).error().code, Code::kResourceLimit);
}

TEST_F(EnvTest, FoldersAreListedSortedAndCreatedWithParents) {
  ASSERT_TRUE(env_.make_directories(path("x/y/z")));
  ASSERT_TRUE(env_.make_directories(path("x/y/z")));
  put("x/b", "");
  put("x/a", "");
  EXPECT_EQ(*env_.list_directory(path("x")), (std::vector<std::string>{"a", "b", "y"}));
  EXPECT_TRUE(env_.is_directory(path("x/y")));
  EXPECT_FALSE(env_.is_directory(path("x/a")));
  EXPECT_TRUE(env_.exists(path("x/a")));
  EXPECT_FALSE(env_.make_directories(path("x/a/c")));
  EXPECT_EQ(env_.list_directory(path("none")).error().code, Code::kNotFound);
  EXPECT_EQ(*env_.canonical_path(path("x/y/../a")), *env_.canonical_path(path("x/a")));
}

// Such files state a size of zero.
TEST_F(EnvTest, SystemFilesAreReadWhole) {
  const auto text = env_.read_system_file("/proc/self/status");
  ASSERT_TRUE(text);
  EXPECT_TRUE(text->starts_with("Name:"));
  EXPECT_EQ(env_.read_system_file("/proc/none").error().code, Code::kNotFound);
}

TEST_F(EnvTest, EnvironmentAndClock) {
  ::setenv("STRATA_ENV_TEST", "", 1);
  EXPECT_EQ(env_.get_env("STRATA_ENV_TEST"), "");
  ::unsetenv("STRATA_ENV_TEST");
  EXPECT_EQ(env_.get_env("STRATA_ENV_TEST"), std::nullopt);
  const int64_t before = env_.now_ns();
  EXPECT_LE(before, env_.now_ns());
}

TEST_F(EnvTest, FullDiskIsAnIoStatus) {
  FaultEnv full(env_, {.kind = FaultPlan::Kind::kNoSpace, .fail_call = 1});
  auto file = full.open_writable(path("a"), WriteMode::kTruncate);
  ASSERT_TRUE(file);
  const auto write = (*file)->write("x");
  ASSERT_FALSE(write);
  EXPECT_EQ(write.error().code, Code::kIo);
  EXPECT_NE(write.error().message().find("No space left"), std::string::npos);
  EXPECT_TRUE((*file)->write("x"));
}

TEST_F(EnvTest, EveryFailedCallIsOneStatus) {
  put("a", "0123456789");
  const auto run = [&](Env& env) -> Result<std::string> {
    TRY(env.make_directories(path("d")));
    TRY(env.list_directory(folder_));
    const std::string real = TRY(env.canonical_path(path("a")));
    std::string text = TRY(env.read_small_file(real, 100));
    auto out = TRY(env.open_writable(path("d/b"), WriteMode::kTruncate));
    TRY(out->write(text));
    TRY(out->sync());
    TRY(out->close());
    return text;
  };
  int64_t failed = 0;
  for (int64_t n = 0;; ++n) {
    FaultEnv faulty(env_, {.fail_call = n});
    const auto result = run(faulty);
    if (result) {
      EXPECT_EQ(*result, "0123456789");
      EXPECT_EQ(faulty.calls(), n);
      break;
    }
    EXPECT_EQ(result.error().code, Code::kIo);
    ++failed;
  }
  EXPECT_EQ(failed, 9);
}

TEST_F(EnvTest, FaultsRepeatForEverWhenAsked) {
  put("a", "x");
  FaultEnv faulty(env_, {.fail_call = 1, .for_ever = true});
  EXPECT_TRUE(faulty.open_readable(path("a")));
  EXPECT_FALSE(faulty.open_readable(path("a")));
  EXPECT_FALSE(faulty.open_readable(path("a")));
}

TEST_F(EnvTest, FaultEnvOverridesVariables) {
  FaultEnv env(env_);
  env.set_env("HOME", "/nowhere");
  EXPECT_EQ(env.get_env("HOME"), "/nowhere");
  env.set_env("HOME", std::nullopt);
  EXPECT_EQ(env.get_env("HOME"), std::nullopt);
}

TEST(ParentPath, WhatStandsBeforeTheLastSlash) {
  EXPECT_EQ(parent_path("a/b/c"), "a/b");
  EXPECT_EQ(parent_path("/c"), "/");
  EXPECT_EQ(parent_path("c"), ".");
}

TEST(JoinPath, OneSlash) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
}

}  // namespace
}  // namespace strata
