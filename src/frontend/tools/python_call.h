// One call of a function as Python writes it: f(a=1, b="x"). Its end is found character by
// character; the arguments become JSON text once it is there. Literals only: nothing is computed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace strata::frontend {

/// Finds where a call ends, and early where none begins.
class PythonCallScan {
 public:
  enum class Step : uint8_t { kMore, kDone, kFailed };

  Step put(char c);

 private:
  bool named_ = false;  // a character of the name was there
  char quote_ = 0;
  bool escaped_ = false;
  std::string brackets_;
};

struct PythonCall {
  std::string name;
  std::string arguments;  // JSON text of an object
};

/// Nothing where it is no call with named literals as arguments, or nests deeper than 64 levels.
std::optional<PythonCall> read_python_call(std::string_view text);

}  // namespace strata::frontend
