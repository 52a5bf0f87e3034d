// Pieces in any order, what stays of an interrupted file, and that a wrong one leaves nothing.
#include "hub/blob_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/fault_env.h"

namespace strata::hub {
namespace {

namespace fs = std::filesystem;

// As `git hash-object` and sha256sum name them.
const RemoteFile kHello{"hello", 5, DigestKind::kGitSha1,
                        "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"};
const RemoteFile kHelloSha256{"hello", 5, DigestKind::kSha256,
                              "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"};

class Writer : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "blob_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string incomplete() const { return (folder_ / "blob.incomplete").string(); }
  std::string blob() const { return (folder_ / "blob").string(); }
  BlobWriter open(const RemoteFile& file, Env& env = real_env()) const {
    auto writer = BlobWriter::open(env, file, incomplete(), blob());
    EXPECT_TRUE(writer) << writer.error().message();
    return std::move(*writer);
  }
  static std::string read(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  fs::path folder_;
};

TEST_F(Writer, PutsPiecesInOrder) {
  for (const RemoteFile& file : {kHello, kHelloSha256}) {
    BlobWriter writer = open(file);
    ASSERT_TRUE(writer.put(3, "lo"));
    EXPECT_EQ(writer.written(), 0u);
    EXPECT_EQ(read(incomplete()), "");  // never a gap on the disk
    ASSERT_TRUE(writer.put(1, "el"));
    EXPECT_FALSE(writer.complete());
    ASSERT_TRUE(writer.put(0, "h"));
    EXPECT_TRUE(writer.complete());
    EXPECT_FALSE(fs::exists(blob()));
    const auto outcome = writer.finish();
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(*outcome, BlobWriter::Outcome::kDone);
    EXPECT_EQ(read(blob()), "hello");
    EXPECT_FALSE(fs::exists(incomplete()));
    fs::remove(blob());
  }
}

TEST_F(Writer, GoesOnFromWhatIsThere) {
  std::ofstream(incomplete()) << "hel";
  BlobWriter writer = open(kHello);
  EXPECT_EQ(writer.kept(), 3u);
  EXPECT_EQ(writer.written(), 3u);
  ASSERT_TRUE(writer.put(3, "lo"));
  EXPECT_EQ(*writer.finish(), BlobWriter::Outcome::kDone);
  EXPECT_EQ(read(blob()), "hello");
}

TEST_F(Writer, BeginsAnewWhereTheRemainsAreNone) {
  std::ofstream(incomplete()) << "longer than the file";
  EXPECT_EQ(open(kHello).kept(), 0u);
  std::ofstream(incomplete()) << "jel";
  BlobWriter writer = open(kHello);
  ASSERT_TRUE(writer.put(3, "lo"));
  EXPECT_EQ(*writer.finish(), BlobWriter::Outcome::kStartAnew);
  EXPECT_EQ(writer.written(), 0u);
  ASSERT_TRUE(writer.put(0, "hello"));
  EXPECT_EQ(*writer.finish(), BlobWriter::Outcome::kDone);
}

TEST_F(Writer, KeepsNothingOfWrongBytes) {
  BlobWriter writer = open(kHello);
  ASSERT_TRUE(writer.put(0, "jello"));
  const auto outcome = writer.finish();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::kInvalidData);
  EXPECT_FALSE(fs::exists(blob()));
  EXPECT_FALSE(fs::exists(incomplete()));
}

TEST_F(Writer, EveryFailingCallIsReportedAndTakesNothing) {
  int failed = 0;
  for (int64_t call = 0;; call++) {
    FaultEnv env(real_env(), {.kind = FaultPlan::Kind::kError, .fail_call = call});
    const auto once = [&]() -> Result<void> {
      auto writer = TRY(BlobWriter::open(env, kHello, incomplete(), blob()));
      if (writer.written() < 5)
        TRY(writer.put(writer.written(), std::string("hello").substr(writer.written())));
      TRY(writer.finish());
      return {};
    };
    const auto done = once();
    if (done) break;
    failed++;
    EXPECT_FALSE(fs::exists(blob())) << call;
  }
  EXPECT_GE(failed, 4);
  EXPECT_EQ(read(blob()), "hello");
}

}  // namespace
}  // namespace strata::hub
