// The grammar of RFC 8259, byte by byte, over a window of the file.
#include "checkpoint/json_scanner.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace strata::checkpoint {
namespace {

constexpr size_t kWindowBytes = 64 << 10;
constexpr size_t kMaxSkipDepth = 64;

bool is_space(int byte) { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }
bool is_digit(int byte) { return byte >= '0' && byte <= '9'; }

// Bytes of a string that stand for themselves and need no check.
bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

std::string describe(int byte) {
  if (byte < 0) return "the end";
  if (byte >= 0x20 && byte < 0x7f) return {'\'', static_cast<char>(byte), '\''};
  static constexpr char kHex[] = "0123456789abcdef";
  return std::string("byte 0x") + kHex[(byte >> 4) & 15] + kHex[byte & 15];
}

void append_utf8(uint32_t point, std::string* out) {
  if (out == nullptr) return;
  const auto put = [&](uint32_t byte) { *out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | (point >> 6));
    put(0x80 | (point & 63));
  } else if (point < 0x10000) {
    put(0xe0 | (point >> 12));
    put(0x80 | ((point >> 6) & 63));
    put(0x80 | (point & 63));
  } else {
    put(0xf0 | (point >> 18));
    put(0x80 | ((point >> 12) & 63));
    put(0x80 | ((point >> 6) & 63));
    put(0x80 | (point & 63));
  }
}

// What may follow a lead byte (Unicode standard, table 3-7): number of further bytes and the range
// of the first of them, which is what rules out overlong forms, surrogates and values beyond
// U+10FFFF.
struct Utf8Rule {
  int more;
  int first_min;
  int first_max;
};

Utf8Rule utf8_rule(unsigned lead) {
  if (lead >= 0xc2 && lead <= 0xdf) return {1, 0x80, 0xbf};
  if (lead == 0xe0) return {2, 0xa0, 0xbf};
  if (lead == 0xed) return {2, 0x80, 0x9f};
  if (lead >= 0xe1 && lead <= 0xef) return {2, 0x80, 0xbf};
  if (lead == 0xf0) return {3, 0x90, 0xbf};
  if (lead >= 0xf1 && lead <= 0xf3) return {3, 0x80, 0xbf};
  if (lead == 0xf4) return {3, 0x80, 0x8f};
  return {0, 0, 0};
}

bool is_high_surrogate(uint32_t unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool is_low_surrogate(uint32_t unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

// RFC 8259: -? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?
bool is_number(std::string_view text) {
  size_t at = 0;
  const auto next_is = [&](std::string_view set) {
    return at < text.size() && set.find(text[at]) != std::string_view::npos;
  };
  const auto digits = [&] {
    const size_t before = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - before;
  };
  if (next_is("-")) ++at;
  const bool zero = next_is("0");
  const size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (next_is(".")) {
    ++at;
    if (digits() == 0) return false;
  }
  if (next_is("eE")) {
    ++at;
    if (next_is("+-")) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

}  // namespace

JsonScanner::JsonScanner(const ReadableFile& file, std::string_view name, uint64_t begin,
                         uint64_t end)
    : file_(file),
      name_(name),
      end_(end),
      window_(std::make_unique_for_overwrite<char[]>(kWindowBytes)),
      window_start_(begin) {}

bool JsonScanner::refill() {
  window_start_ += filled_;
  next_ = filled_ = 0;
  const size_t want = std::min<uint64_t>(kWindowBytes, end_ - window_start_);
  if (want == 0 || read_failure_) return false;
  auto read = file_.read_at(window_start_, std::as_writable_bytes(std::span(window_.get(), want)));
  if (!read) {
    read_failure_ = std::move(read).error().with_context(name_);
    return false;
  }
  filled_ = want;
  return true;
}

int JsonScanner::next_byte() {
  if (next_ == filled_ && !refill()) return -1;
  return static_cast<unsigned char>(window_[next_++]);
}

int JsonScanner::peek() {
  while (true) {
    if (next_ == filled_ && !refill()) return -1;
    const int byte = static_cast<unsigned char>(window_[next_]);
    if (!is_space(byte)) return byte;
    ++next_;
  }
}

bool JsonScanner::consume(char wanted) {
  if (peek() != static_cast<unsigned char>(wanted)) return false;
  ++next_;
  return true;
}

Result<void> JsonScanner::expect(char wanted) {
  if (!consume(wanted)) return unexpected(describe(static_cast<unsigned char>(wanted)));
  return {};
}

std::unexpected<Status> JsonScanner::error(std::string_view problem, Code code) {
  if (read_failure_) return std::unexpected(*read_failure_);
  return fail(code, std::string(name_) + ": at byte " + std::to_string(offset()) + ": " +
                        std::string(problem));
}

std::unexpected<Status> JsonScanner::unexpected(std::string_view expected) {
  const int byte = peek();
  auto failure = error("not usable JSON");
  if (read_failure_) return failure;
  failure.error().got = describe(byte);
  failure.error().expected = expected;
  return failure;
}

Result<void> JsonScanner::read_string(std::string* out, size_t max_bytes) {
  if (!consume('"')) return unexpected("a string");
  if (out != nullptr) out->clear();
  const uint64_t start = offset();
  while (true) {
    const size_t run = next_;
    while (next_ < filled_ && is_plain(static_cast<unsigned char>(window_[next_]))) ++next_;
    if (out != nullptr) out->append(window_.get() + run, next_ - run);
    // Counted as written, escapes included: never less than the bytes that they stand for.
    if (offset() - start > max_bytes) {
      return error("a string longer than " + std::to_string(max_bytes) + " bytes",
                   Code::kResourceLimit);
    }
    const int byte = next_byte();
    if (byte == '"') return {};
    if (byte < 0) return error("a string without an end");
    if (byte < 0x20) return error("a control character in a string: " + describe(byte));
    if (byte == '\\') {
      TRY(read_escape(out));
    } else if (byte >= 0x80) {
      TRY(read_utf8(static_cast<unsigned>(byte), out));
    } else if (out != nullptr) {
      *out += static_cast<char>(byte);  // plain, the first of a new window
    }
  }
}

Result<void> JsonScanner::read_utf8(unsigned lead, std::string* out) {
  const Utf8Rule rule = utf8_rule(lead);
  if (rule.more == 0) return error("invalid UTF-8: " + describe(static_cast<int>(lead)));
  if (out != nullptr) *out += static_cast<char>(lead);
  for (int i = 0; i < rule.more; ++i) {
    const int byte = next_byte();
    const bool fits =
        i == 0 ? byte >= rule.first_min && byte <= rule.first_max : byte >= 0x80 && byte <= 0xbf;
    if (!fits) return error("invalid UTF-8: " + describe(byte));
    if (out != nullptr) *out += static_cast<char>(byte);
  }
  return {};
}

Result<uint32_t> JsonScanner::read_hex4() {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const int byte = next_byte();
    const int letter = byte | 0x20;
    if (is_digit(byte)) {
      value = value * 16 + static_cast<uint32_t>(byte - '0');
    } else if (byte > 0 && letter >= 'a' && letter <= 'f') {
      value = value * 16 + static_cast<uint32_t>(letter - 'a' + 10);
    } else {
      return error("a \\u escape without four hexadecimal digits");
    }
  }
  return value;
}

Result<void> JsonScanner::read_escape(std::string* out) {
  static constexpr std::string_view kLetters = "\"\\/bfnrt";
  static constexpr std::string_view kMeaning = "\"\\/\b\f\n\r\t";
  const int byte = next_byte();
  if (byte != 'u') {
    const size_t at = byte < 0 ? std::string_view::npos : kLetters.find(static_cast<char>(byte));
    if (at == std::string_view::npos) return error("an unknown escape: " + describe(byte));
    if (out != nullptr) *out += kMeaning[at];
    return {};
  }
  uint32_t point = TRY(read_hex4());
  if (is_high_surrogate(point)) {
    if (next_byte() != '\\' || next_byte() != 'u') return error("half of a surrogate pair");
    const uint32_t low = TRY(read_hex4());
    if (!is_low_surrogate(low)) return error("half of a surrogate pair");
    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
  } else if (is_low_surrogate(point)) {
    return error("half of a surrogate pair");
  }
  append_utf8(point, out);
  return {};
}

Result<int64_t> JsonScanner::read_unsigned() {
  if (!is_digit(peek())) return unexpected("a whole number >= 0");
  const bool zero = peek() == '0';
  int64_t value = 0;
  int digits = 0;
  while ((next_ < filled_ || refill()) && is_digit(window_[next_])) {
    if (__builtin_mul_overflow(value, int64_t{10}, &value) ||
        __builtin_add_overflow(value, int64_t{window_[next_] - '0'}, &value)) {
      return error("overflow: a number beyond 2^63 - 1");
    }
    ++next_;
    ++digits;
  }
  const char after = next_ < filled_ ? window_[next_] : ' ';
  if ((zero && digits > 1) || after == '.' || after == 'e' || after == 'E') {
    return unexpected("a whole number >= 0, plainly written");
  }
  return value;
}

Result<std::string> JsonScanner::read_literal() {
  constexpr size_t kMaxBytes = 64;
  peek();
  std::string text;
  while (next_ < filled_ || refill()) {
    const char byte = window_[next_];
    if (is_space(byte) || std::strchr(",:]}[{\"", byte) != nullptr) break;
    text += byte;
    if (text.size() > kMaxBytes) return error("a literal longer than 64 bytes");
    ++next_;
  }
  if (text != "true" && text != "false" && text != "null" && !is_number(text)) {
    auto failure = unexpected("a number, true, false or null");
    if (!text.empty() && !read_failure_) failure.error().got = std::move(text);
    return failure;
  }
  return text;
}

Result<void> JsonScanner::skip_value() {
  std::vector<char> closers;  // of the containers that are open
  while (true) {
    const int byte = peek();
    if (byte == '{' || byte == '[') {
      ++next_;
      closers.push_back(byte == '{' ? '}' : ']');
      if (closers.size() > kMaxSkipDepth) return error("nesting deeper than 64");
      if (!consume(closers.back())) {
        if (closers.back() == '}') {
          TRY(read_string(nullptr));
          TRY(expect(':'));
        }
        continue;
      }
      closers.pop_back();
    } else if (byte == '"') {
      TRY(read_string(nullptr));
    } else {
      TRY(read_literal());
    }
    while (!closers.empty() && !consume(',')) {
      TRY(expect(closers.back()));
      closers.pop_back();
    }
    if (closers.empty()) return {};
    if (closers.back() == '}') {
      TRY(read_string(nullptr));
      TRY(expect(':'));
    }
  }
}

Result<void> JsonScanner::expect_end() {
  while (true) {
    const int byte = next_byte();
    if (byte == ' ') continue;
    if (read_failure_) return error("");
    if (byte < 0) return {};
    return error("bytes after the JSON other than spaces: " + describe(byte));
  }
}

}  // namespace strata::checkpoint
