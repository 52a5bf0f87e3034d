// A text file line by line with a bounded buffer, whatever its size: below the readers of rows,
// which say what a line means.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/status.h"

namespace strata {

class LineReader {
 public:
  /// Longer lines are passed over, and said to be too long.
  static constexpr size_t kMaxBytes = 16 << 20;

  struct Line {
    int64_t number = 0;  // from 1; blank lines count
    std::string text;    // without its end
    bool too_long = false;
    bool ended = true;  // by a newline, not by the end of the file
  };

  static Result<LineReader> open(Env& env, const std::string& path);

  /// The next line that is not blank; nullopt at the end. Fails only where the file cannot be read.
  Result<std::optional<Line>> next();

  uint64_t file_bytes() const { return file_->size(); }
  /// Up to the end of the last line.
  uint64_t bytes_taken() const { return read_ - (buffer_.size() - consumed_); }

 private:
  explicit LineReader(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}
  Result<bool> take_line(Line& line);

  std::unique_ptr<ReadableFile> file_;
  uint64_t read_ = 0;  // bytes taken from the file
  std::string buffer_;
  size_t consumed_ = 0;  // of buffer_
  int64_t number_ = 0;
};

/// What a reader of rows says of such a line.
Status line_too_long();

}  // namespace strata
