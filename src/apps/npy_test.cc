// The bytes of a .npy file, and what becomes of a full disk.
#include "apps/npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/fault_env.h"

namespace strata::apps {
namespace {

const std::string& path() {
  static const std::string kPath = testing::TempDir() + "/npy_test.npy";
  return kPath;
}

Result<void> write_rows(Env& env) {
  NpyWriter writer = TRY(NpyWriter::create(env, path(), 3));
  const float rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  TRY(writer.append(std::span(rows).first(6)));
  TRY(writer.append(std::span(rows).last(3)));
  return writer.finish();
}

TEST(Npy, HoldsShapeAndRows) {
  ASSERT_TRUE(write_rows(real_env()));
  std::ifstream file(path(), std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  ASSERT_EQ(bytes.size(), 128u + 9 * 4);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(static_cast<unsigned char>(bytes[8]) + 256 * static_cast<unsigned char>(bytes[9]), 118);
  EXPECT_EQ(bytes.find("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 3), }"), 10u);
  EXPECT_EQ(bytes[127], '\n');
  float last = 0;
  std::memcpy(&last, bytes.data() + 128 + 8 * 4, 4);
  EXPECT_EQ(last, 9);
  std::filesystem::remove(path());
}

TEST(Npy, ReportsAFullDiskWhereverItStrikes) {
  for (int64_t call = 0;; call++) {
    FaultEnv env(real_env(), {.kind = FaultPlan::Kind::kNoSpace, .fail_call = call});
    const auto written = write_rows(env);
    if (env.calls() <= call) break;
    ASSERT_FALSE(written) << "call " << call;
    EXPECT_EQ(written.error().code, Code::kIo);
  }
  std::filesystem::remove(path());
}

}  // namespace
}  // namespace strata::apps
