// Sizes and names of dtypes: one row each.
#include "tensor/dtype.h"

namespace strata::tensor {
namespace {

struct Row {
  std::string_view name;
  size_t bytes;
};

// In the order of the enumeration.
constexpr Row kRows[] = {{"f32", 4}, {"f16", 2},  {"bf16", 2},    {"f64", 8},
                         {"i64", 8}, {"i32", 4},  {"i16", 2},     {"i8", 1},
                         {"u8", 1},  {"bool", 1}, {"f8_e4m3", 1}, {"f8_e5m2", 1}};

}  // namespace

size_t dtype_bytes(DType dtype) { return kRows[static_cast<size_t>(dtype)].bytes; }

std::string_view dtype_name(DType dtype) { return kRows[static_cast<size_t>(dtype)].name; }

}  // namespace strata::tensor
