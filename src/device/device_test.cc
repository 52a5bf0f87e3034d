// What a Device promises, on both implementations, and what the fake one catches that the CPU
// cannot.
#include "device/device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "device/cpu_device.h"
#include "device/fake_device.h"

namespace strata::device {
namespace {

constexpr int64_t kBytes = 3 << 20;

template <class T>
class AnyDevice : public testing::Test {
 protected:
  T device_;
};
using Implementations = testing::Types<CpuDevice, FakeDevice>;
TYPED_TEST_SUITE(AnyDevice, Implementations);

TYPED_TEST(AnyDevice, BuffersAreAlignedAndZeroed) {
  auto buffer = this->device_.allocate(kBytes);
  ASSERT_TRUE(buffer);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % (2 << 20), 0u);
  EXPECT_EQ(buffer->bytes(), kBytes);
  EXPECT_TRUE(std::ranges::all_of(buffer->span(), [](std::byte b) { return b == std::byte{0}; }));
  buffer->span().back() = std::byte{1};
}

TYPED_TEST(AnyDevice, CopiesArriveOnceWaitedFor) {
  auto from = this->device_.allocate(kBytes);
  auto to = this->device_.allocate(kBytes);
  ASSERT_TRUE(from && to);
  std::memset(from->data(), 7, kBytes);
  const Event event = this->device_.copy_async(0, to->data(), from->data(), kBytes);
  this->device_.wait(event);
  EXPECT_TRUE(this->device_.ready(event));
  EXPECT_EQ(std::memcmp(to->data(), from->data(), kBytes), 0);
}

TYPED_TEST(AnyDevice, RecordCoversEverythingBeforeIt) {
  auto buffer = this->device_.allocate(kBytes);
  ASSERT_TRUE(buffer);
  buffer->data()[0] = std::byte{9};
  this->device_.copy_async(0, buffer->data() + 100, buffer->data(), 1);
  this->device_.wait(this->device_.record(0));
  EXPECT_EQ(buffer->data()[100], std::byte{9});
}

TYPED_TEST(AnyDevice, MovedBuffersAreFreedOnce) {
  auto first = this->device_.allocate(kBytes);
  ASSERT_TRUE(first);
  Buffer second = std::move(*first);
  EXPECT_EQ(first->data(), nullptr);
  second = Buffer();
  EXPECT_EQ(second.data(), nullptr);
}

TYPED_TEST(AnyDevice, DiscardedPagesHoldZeros) {
  auto buffer = this->device_.allocate(kBytes);
  ASSERT_TRUE(buffer);
  std::memset(buffer->data(), 7, kBytes);
  buffer->discard(4096, 8192);
  EXPECT_EQ(buffer->data()[4095], std::byte{7});
  EXPECT_EQ(buffer->data()[4096], std::byte{0});
  EXPECT_EQ(buffer->data()[4096 + 8191], std::byte{0});
  EXPECT_EQ(buffer->data()[4096 + 8192], std::byte{7});
}

TEST(CpuDevice, RefusesImpossibleSizes) {
  CpuDevice device;
  EXPECT_EQ(device.allocate(int64_t{1} << 50).error().code, Code::kResourceLimit);
  EXPECT_EQ(device.allocate(-1).error().code, Code::kResourceLimit);
  EXPECT_TRUE(device.allocate(0));
}

// The mistake that the fake device is for: reading a destination without waiting. On the CPU this
// passes unnoticed.
TEST(FakeDevice, ShowsReadsThatDoNotWait) {
  FakeDevice device;
  auto from = device.allocate(4096);
  auto to = device.allocate(4096);
  ASSERT_TRUE(from && to);
  from->data()[0] = std::byte{1};
  const Event event = device.copy_async(0, to->data(), from->data(), 4096);
  EXPECT_FALSE(device.ready(event));
  EXPECT_EQ(to->data()[0], FakeDevice::kPoison);
  device.advance_us(3);
  EXPECT_FALSE(device.ready(event));
  device.advance_us(1);
  EXPECT_TRUE(device.ready(event));
  EXPECT_EQ(to->data()[0], std::byte{1});
}

TEST(FakeDevice, ShowsSourcesThatAreReusedTooEarly) {
  FakeDevice device;
  auto from = device.allocate(4096);
  auto to = device.allocate(4096);
  ASSERT_TRUE(from && to);
  from->data()[0] = std::byte{1};
  const Event event = device.copy_async(0, to->data(), from->data(), 4096);
  from->data()[0] = std::byte{2};
  device.wait(event);
  EXPECT_EQ(to->data()[0], std::byte{2});
}

TEST(FakeDevice, NotesMemoryFreedUnderACopy) {
  FakeDevice device;
  auto to = device.allocate(4096);
  ASSERT_TRUE(to);
  {
    auto from = device.allocate(4096);
    ASSERT_TRUE(from);
    device.copy_async(0, to->data(), from->data(), 4096);
  }
  ASSERT_EQ(device.faults().size(), 1u);
  EXPECT_NE(device.faults()[0].find("freed"), std::string::npos);
  device.advance_us(100);
}

TEST(FakeDevice, NotesCopiesThatRaceOnTwoStreams) {
  FakeDevice device;
  auto memory = device.allocate(3 * 4096);
  ASSERT_TRUE(memory);
  device.copy_async(0, memory->data(), memory->data() + 4096, 4096);
  const Event event = device.copy_async(1, memory->data(), memory->data() + 8192, 4096);
  EXPECT_EQ(device.faults().size(), 1u);
  device.wait(event);
  // The same pair with the second stream told to wait is no race.
  const Event first = device.copy_async(0, memory->data(), memory->data() + 4096, 4096);
  device.stream_wait(1, first);
  device.wait(device.copy_async(1, memory->data(), memory->data() + 8192, 4096));
  EXPECT_EQ(device.faults().size(), 1u);
}

TEST(FakeDevice, FailsAllocationsOnDemandAndBeyondCapacity) {
  FakeDevice device({.streams = 1, .copy_bytes_per_us = 1, .capacity_bytes = 8192});
  device.fail_allocation(1);
  auto first = device.allocate(4096);
  EXPECT_TRUE(first);
  EXPECT_EQ(device.allocate(4096).error().code, Code::kResourceLimit);
  auto third = device.allocate(4096);
  EXPECT_TRUE(third);
  EXPECT_FALSE(device.allocate(1));
  EXPECT_EQ(device.allocated_bytes(), 8192);
}

}  // namespace
}  // namespace strata::device
