// Texts and exit codes of Status.
#include "base/status.h"

namespace strata {
namespace {

// Terminal escapes and newlines inside file content must not reach a terminal or split a log line.
void append_escaped(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string Status::message() const {
  std::string out;
  append_escaped(out, what);
  if (!got.empty()) append_escaped(out += ": got ", got);
  if (!expected.empty())
    append_escaped(out += got.empty() ? ": expected " : ", expected ", expected);
  if (!hint.empty()) {
    append_escaped(out += " (", hint);
    out += ')';
  }
  return out;
}

Status Status::with_context(std::string_view where) && {
  what = std::string(where) + ": " + what;
  return std::move(*this);
}

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kInvalidData:
      return "invalid_data";
    case Code::kNotFound:
      return "not_found";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kResourceLimit:
      return "resource_limit";
    case Code::kIo:
      return "io";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kBusy:
      return "busy";
    case Code::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

int exit_code(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 64;  // EX_USAGE
    case Code::kInvalidData:
      return 65;  // EX_DATAERR
    case Code::kNotFound:
      return 66;  // EX_NOINPUT
    case Code::kUnavailable:
      return 69;  // EX_UNAVAILABLE
    case Code::kUnsupported:
      return 78;  // EX_CONFIG
    case Code::kResourceLimit:
      return 71;  // EX_OSERR: the machine's memory does not suffice
    case Code::kIo:
      return 74;  // EX_IOERR
    case Code::kBusy:
      return 75;  // EX_TEMPFAIL
    case Code::kCancelled:
      return 130;  // as after SIGINT
  }
  return 70;
}

}  // namespace strata
