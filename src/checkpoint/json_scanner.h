// A JSON reader for tables that are too large to hold as a document (tensor headers, weight maps):
// streams a range of a file through a small window and is asked token by token. Strict: UTF-8,
// escapes and numbers are checked as in RFC 8259. Knows nothing about what the tables mean; never
// recurses, never holds more than the window and the string asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/status.h"

namespace strata::checkpoint {

/// One thread. Errors name `name` and the byte of the file. After an error the scanner must not be
/// used on.
class JsonScanner {
 public:
  /// Reads [begin, end) of `file`, which must outlive the scanner, as must `name`.
  JsonScanner(const ReadableFile& file, std::string_view name, uint64_t begin, uint64_t end);

  /// Position in the file of the next byte.
  uint64_t offset() const { return window_start_ + next_; }

  /// The next byte after white space, not consumed; -1 at the end or where reading failed.
  int peek();
  /// Consumes the next byte after white space if it is `wanted`.
  bool consume(char wanted);
  /// The same, required.
  Result<void> expect(char wanted);

  static constexpr size_t kNoLimit = ~size_t{0};
  /// A string, unescaped, into `out` (cleared first); `out` may be null to check only. Over
  /// `max_bytes`: kResourceLimit.
  Result<void> read_string(std::string* out, size_t max_bytes = kNoLimit);
  /// A number without sign, fraction or exponent, at most INT64_MAX.
  Result<int64_t> read_unsigned();
  /// A number, true, false or null as it stands, at most 64 bytes.
  Result<std::string> read_literal();
  /// Checks one value of any kind and forgets it; containers up to 64 deep.
  Result<void> skip_value();

  /// Called after '{': loops over `"key":`; `on_member(key)` must consume the value. Keys longer
  /// than `max_key_bytes` are refused.
  template <class F>
  Result<void> each_member(size_t max_key_bytes, F&& on_member) {
    if (consume('}')) return {};
    std::string key;
    do {
      peek();
      key_offset_ = offset();
      TRY(read_string(&key, max_key_bytes));
      TRY(expect(':'));
      TRY(on_member(key));
    } while (consume(','));
    return expect('}');
  }
  /// Where the key given to on_member began.
  uint64_t key_offset() const { return key_offset_; }

  /// Only spaces up to the end of the range.
  Result<void> expect_end();

  /// "name: at byte N: problem", or the failed read that stopped the scanner.
  std::unexpected<Status> error(std::string_view problem, Code code = Code::kInvalidData);

 private:
  int next_byte();  // -1 at the end
  bool refill();
  std::unexpected<Status> unexpected(std::string_view expected);
  Result<void> read_escape(std::string* out);
  Result<uint32_t> read_hex4();
  Result<void> read_utf8(unsigned lead, std::string* out);

  const ReadableFile& file_;
  std::string_view name_;
  uint64_t end_;
  std::unique_ptr<char[]> window_;
  uint64_t window_start_;  // in the file
  size_t next_ = 0;        // in the window
  size_t filled_ = 0;
  uint64_t key_offset_ = 0;
  std::optional<Status> read_failure_;
};

}  // namespace strata::checkpoint
