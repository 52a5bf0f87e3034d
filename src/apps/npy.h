// Writes a float32 matrix as a .npy file, row after row, without knowing their number beforehand
// (numpy's format 1.0).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

class NpyWriter {
 public:
  static Result<NpyWriter> create(Env& env, const std::string& path, int64_t columns);
  /// Appends rows; the span holds whole ones.
  Result<void> append(std::span<const float> rows);
  /// Writes the final number of rows into the header and closes.
  Result<void> finish();
  int64_t rows() const { return rows_; }

 private:
  NpyWriter(std::unique_ptr<WritableFile> file, int64_t columns)
      : file_(std::move(file)), columns_(columns) {}

  std::unique_ptr<WritableFile> file_;
  int64_t columns_;
  int64_t rows_ = 0;
};

}  // namespace strata::apps
