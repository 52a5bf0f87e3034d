// A scan for the end, and a reader that descends through literals.
#include "frontend/tools/python_call.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/json.h"
#include "frontend/tools/tool_parser.h"

namespace strata::frontend {
namespace {

constexpr size_t kMaxDepth = 64;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

char closing(char opening) {
  if (opening == '(') return ')';
  return opening == '[' ? ']' : '}';
}

void append_utf8(std::string& text, uint32_t c) {
  const auto byte = [&](uint32_t bits) { text += static_cast<char>(bits); };
  const auto rest = [&](uint32_t shift) { byte(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) return byte(c);
  if (c < 0x800) {
    byte(0xC0 | (c >> 6));
  } else if (c < 0x10000) {
    byte(0xE0 | (c >> 12));
    rest(6);
  } else {
    byte(0xF0 | (c >> 18));
    rest(12);
    rest(6);
  }
  rest(0);
}

// Each reader takes its part of the text, or gives false and is not asked again.
class PythonReader {
 public:
  explicit PythonReader(std::string_view text) : text_(text) {}

  bool call(PythonCall& made) {
    if (!word(made.name) || !take('(')) return false;
    made.arguments = "{";
    for (bool first = true; !take(')'); first = false) {
      if (!first && !take(',')) return false;
      if (!first && take(')')) break;
      std::string name;
      if (!word(name) || !take('=')) return false;
      made.arguments += (first ? "" : ", ") + Json(name).dump() + ": ";
      if (!value(made.arguments, 0)) return false;
    }
    made.arguments += "}";
    skip();
    return text_.empty();
  }

 private:
  void skip() { text_.remove_prefix(leading_blanks(text_)); }

  bool take(char c) {
    skip();
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }

  // A name, with dots for one within another.
  bool word(std::string& made) {
    skip();
    const auto fits = [](char c) { return is_word(c) || c == '.'; };
    const auto size = static_cast<size_t>(std::ranges::find_if_not(text_, fits) - text_.begin());
    made = text_.substr(0, size);
    text_.remove_prefix(size);
    return size > 0 && !is_digit(made.front());
  }

  bool value(std::string& out, size_t depth) {
    skip();
    if (text_.empty() || depth > kMaxDepth) return false;
    const char c = text_.front();
    if (c == '"' || c == '\'') return string(out);
    if (c == '[' || c == '(') return list(out, depth, closing(c));
    if (c == '{') return dict(out, depth);
    if (is_digit(c) || c == '-') return number(out);
    return constant(out);
  }

  bool list(std::string& out, size_t depth, char end) {
    text_.remove_prefix(1);
    out += '[';
    for (bool first = true; !take(end); first = false) {
      if (!first && !take(',')) return false;
      if (!first && take(end)) break;
      if (!first) out += ", ";
      if (!value(out, depth + 1)) return false;
    }
    out += ']';
    return true;
  }

  bool dict(std::string& out, size_t depth) {
    text_.remove_prefix(1);
    out += '{';
    for (bool first = true; !take('}'); first = false) {
      if (!first && !take(',')) return false;
      if (!first && take('}')) break;
      if (!first) out += ", ";
      skip();
      if (!text_.starts_with('"') && !text_.starts_with('\'')) return false;
      if (!string(out) || !take(':')) return false;
      out += ": ";
      if (!value(out, depth + 1)) return false;
    }
    out += '}';
    return true;
  }

  bool number(std::string& out) {
    const auto fits = [](char c) { return is_word(c) || c == '.' || c == '-' || c == '+'; };
    const auto size = static_cast<size_t>(std::ranges::find_if_not(text_, fits) - text_.begin());
    const auto read = parse_json(text_.substr(0, size), "a number");
    if (!read || !read->is_number()) return false;
    out += text_.substr(0, size);
    text_.remove_prefix(size);
    return true;
  }

  bool constant(std::string& out) {
    struct Constant {
      std::string_view python, json;
    };
    constexpr Constant kConstants[] = {{"True", "true"}, {"False", "false"}, {"None", "null"},
                                       {"true", "true"}, {"false", "false"}, {"null", "null"}};
    std::string name;
    if (!word(name)) return false;
    const auto* found = std::ranges::find(kConstants, name, &Constant::python);
    if (found == std::end(kConstants)) return false;
    out += found->json;
    return true;
  }

  bool string(std::string& out) {
    const char quote = text_.front();
    text_.remove_prefix(1);
    std::string read;
    while (!text_.starts_with(quote)) {
      if (text_.empty() || text_.front() == '\n') return false;
      const char c = text_.front();
      text_.remove_prefix(1);
      if (c != '\\') {
        read += c;
      } else if (!escape(read)) {
        return false;
      }
    }
    text_.remove_prefix(1);
    out += Json(read).dump(-1, ' ', false, Json::error_handler_t::replace);
    return true;
  }

  bool escape(std::string& read) {
    if (text_.empty()) return false;
    const char c = text_.front();
    text_.remove_prefix(1);
    constexpr std::string_view kFrom = "ntrbfav0\\'\"", kTo("\n\t\r\b\f\a\v\0\\'\"", 11);
    if (const size_t at = kFrom.find(c); at != std::string_view::npos) {
      read += kTo[at];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      return code(c == 'x' ? 2 : c == 'u' ? 4 : 8, read);
    } else if (c != '\n') {  // a line that goes on; others stand for themselves
      read += '\\';
      read += c;
    }
    return true;
  }

  bool code(size_t digits, std::string& read) {
    if (text_.size() < digits) return false;
    uint32_t number = 0;
    const char* end = text_.data() + digits;
    if (std::from_chars(text_.data(), end, number, 16).ptr != end) return false;
    if (number > 0x10FFFF || (number >= 0xD800 && number < 0xE000)) return false;
    append_utf8(read, number);
    text_.remove_prefix(digits);
    return true;
  }

  std::string_view text_;
};

}  // namespace

PythonCallScan::Step PythonCallScan::put(char c) {
  if (quote_ != 0) {
    if (c == quote_ && !escaped_) quote_ = 0;
    escaped_ = c == '\\' && !escaped_;
    return Step::kMore;
  }
  if (brackets_.empty()) {
    if (c == '(' && named_) {
      brackets_ = c;
      return Step::kMore;
    }
    const bool fits = is_word(c) || (named_ && c == '.') || (!named_ && is_blank(c));
    if (!fits || (!named_ && is_digit(c))) return Step::kFailed;
    named_ |= !is_blank(c);
    return Step::kMore;
  }
  if (c == '"' || c == '\'') quote_ = c;
  if (c == '(' || c == '[' || c == '{') brackets_ += c;
  if (c != ')' && c != ']' && c != '}') return Step::kMore;
  if (c != closing(brackets_.back())) return Step::kFailed;
  brackets_.pop_back();
  return brackets_.empty() ? Step::kDone : Step::kMore;
}

std::optional<PythonCall> read_python_call(std::string_view text) {
  PythonCall made;
  if (!PythonReader(text).call(made)) return std::nullopt;
  return made;
}

}  // namespace strata::frontend
