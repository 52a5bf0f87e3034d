// The outcome of anything that may fail for a reason outside the program: a bad file, a bad flag, a
// full disk. A bug is not a Status: it aborts through CHECK (check.h). Every layer returns these;
// apps turn the code into an exit code, the server (later) into an HTTP status. Nothing here
// prints.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace strata {

enum class Code {
  kInvalidArgument,  // a flag or a request field is wrong
  kInvalidData,      // a file's content is wrong
  kNotFound,         // a file, folder, model or tensor is missing
  kUnsupported,  // understood, but not built yet: names what it is and the nearest supported thing
  kResourceLimit,  // memory, blocks or a stated limit do not suffice
  kIo,             // the operating system refused a read, write or map
  kUnavailable,    // a device or feature of the machine is missing
  kBusy,           // full for the moment: the same request may be taken later
  kCancelled,      // asked to stop
};

/// A failure, in parts so that messages stay uniform: "what: got X, expected Y (hint)".
struct [[nodiscard]] Status {
  Code code = Code::kInvalidArgument;
  std::string what;      // the file, field, tensor or flag and what is wrong with it
  std::string got;       // the offending value, or empty
  std::string expected;  // what would have been right, or empty
  std::string hint;      // the fix, or empty

  /// One line without control characters, as shown to the user.
  std::string message() const;
  /// The same failure, seen from a caller that knows where it happened: "where: what".
  Status with_context(std::string_view where) &&;
};

template <class T>
using Result = std::expected<T, Status>;

std::string_view code_name(Code code);

/// The process exit code that a failure maps to (sysexits numbers; docs/exit-codes.md is checked
/// against this table).
int exit_code(Code code);

inline std::unexpected<Status> fail(Code code, std::string what, std::string got = {},
                                    std::string expected = {}, std::string hint = {}) {
  return std::unexpected(
      Status{code, std::move(what), std::move(got), std::move(expected), std::move(hint)});
}

}  // namespace strata

/// Value of a Result, or return its Status from the enclosing function: `const auto x = TRY(f());`.
#define TRY(...)                                                              \
  __extension__({                                                             \
    auto&& try_result_ = (__VA_ARGS__);                                       \
    if (!try_result_) return std::unexpected(std::move(try_result_).error()); \
    std::move(try_result_).value();                                           \
  })
