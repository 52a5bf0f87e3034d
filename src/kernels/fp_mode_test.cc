// The scope sets flush-to-zero, denormals-are-zero and nearest-even, and puts back what it found.
#include "kernels/fp_mode.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>

namespace strata::kernels {
namespace {

// volatile: the arithmetic has to happen here, under the mode of the moment.
float product(float x, float y) {
  const volatile float a = x, b = y;
  const volatile float result = a * b;
  return result;
}

TEST(FpMode, FlushesInsideAndRestoresOutside) {
  constexpr float kDenormal = 0x1p-130f;
  EXPECT_EQ(product(0x1p-70f, 0x1p-60f), kDenormal);
  EXPECT_EQ(product(kDenormal, 0x1p20f), 0x1p-110f);
  {
    const FpModeScope mode;
    EXPECT_EQ(std::fpclassify(product(0x1p-70f, 0x1p-60f)), FP_ZERO) << "results flush";
    EXPECT_EQ(std::fpclassify(product(kDenormal, 0x1p20f)), FP_ZERO) << "inputs flush";
    EXPECT_TRUE(std::signbit(product(-0x1p-70f, 0x1p-60f))) << "the sign stays";
  }
  EXPECT_EQ(product(0x1p-70f, 0x1p-60f), kDenormal);
}

TEST(FpMode, RoundsToNearestEvenWhateverWasSet) {
  std::fesetround(FE_UPWARD);
  const float upward = product(1.0f + 0x1p-23f, 1.0f + 0x1p-23f);
  float inside;
  {
    const FpModeScope mode;
    inside = product(1.0f + 0x1p-23f, 1.0f + 0x1p-23f);
  }
  const int restored = std::fegetround();
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(inside, 1.0f + 0x1p-22f);
  EXPECT_EQ(upward, 1.0f + 0x1.8p-22f);
  EXPECT_EQ(restored, FE_UPWARD);
}

}  // namespace
}  // namespace strata::kernels
