// Files are read whole and around, and what cannot be read is said so.
#include "placement/disk_probe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/fault_env.h"
#include "device/cpu_device.h"

namespace strata::placement {
namespace {

class DiskProbeTest : public ::testing::Test {
 protected:
  DiskProbeTest() {
    std::string pattern = ::testing::TempDir() + "/disk_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    for (const size_t bytes : {size_t{5'000'001}, size_t{77}}) {
      args_.paths.push_back(folder_ + "/" + std::to_string(bytes));
      std::ofstream(args_.paths.back()) << std::string(bytes, 'x');
    }
    args_.least_s = 0;
    args_.most_s = 60;
  }
  ~DiskProbeTest() override { std::filesystem::remove_all(folder_); }
  Result<DiskSpeed> probe(Env& env) { return probe_disk(env, device_, args_); }

  std::string folder_;
  DiskProbeArgs args_;
  device::CpuDevice device_;
};

TEST_F(DiskProbeTest, ReadsAllFilesAFewTimes) {
  for (const IoKind io : {IoKind::kAuto, IoKind::kPread}) {
    args_.io = io;
    const auto speed = probe(real_env());
    ASSERT_TRUE(speed) << speed.error().message();
    // Four rounds, and at most what was under way beside the last of them.
    EXPECT_GE(speed->read_bytes, 4 * 5'000'078);
    EXPECT_LE(speed->read_bytes, 4 * 5'000'078 + kProbeDepth * kProbeRequest);
    EXPECT_GT(speed->bytes_per_s, 0);
    EXPECT_FALSE(speed->how.empty());
  }
}

TEST_F(DiskProbeTest, TimeIsBounded) {
  FaultEnv slow(real_env(), {.slow_ns_per_byte = 20});
  args_.most_s = 0.05;
  args_.paths = {folder_ + "/long"};
  std::ofstream(args_.paths[0]) << std::string(30'000'000, 'x');
  const auto speed = probe(slow);
  ASSERT_TRUE(speed);
  EXPECT_LT(speed->read_bytes, 2 * 30'000'000) << "it went on after its time";
}

TEST_F(DiskProbeTest, SlowDisksAreSeenAsSuch) {
  FaultEnv slow(real_env(), {.slow_ns_per_byte = 20});
  const auto speed = probe(slow);
  ASSERT_TRUE(speed);
  EXPECT_LT(speed->bytes_per_s, 50e6);
}

TEST_F(DiskProbeTest, EveryFailureIsReported) {
  bool failed = true;
  for (int64_t call = 0; failed; call++) {
    FaultEnv env(real_env(), {.fail_call = call});
    failed = !probe(env).has_value();
    ASSERT_LT(call, 100);
  }
  args_.paths = {folder_ + "/missing"};
  EXPECT_EQ(probe(real_env()).error().code, Code::kNotFound);
  args_.paths = {folder_ + "/empty"};
  std::ofstream(args_.paths[0]).flush();
  EXPECT_EQ(probe(real_env()).error().code, Code::kInvalidData);
}

}  // namespace
}  // namespace strata::placement
