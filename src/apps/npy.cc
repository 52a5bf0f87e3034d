// The header has a fixed size, so that it can be rewritten once the number of rows is known.
#include "apps/npy.h"

#include <fmt/core.h>

#include <bit>

#include "base/check.h"

namespace strata::apps {
namespace {

static_assert(std::endian::native == std::endian::little, "the header says '<f4'");

// A multiple of 64, as the format asks for, with room for two 19-digit numbers.
constexpr size_t kHeaderBytes = 128;
constexpr size_t kPrefixBytes = 10;  // magic, version, length of the rest

std::string header(int64_t rows, int64_t columns) {
  std::string text =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  text.resize(kHeaderBytes - kPrefixBytes - 1, ' ');
  text += '\n';
  std::string all("\x93NUMPY\x01\x00", 8);
  all += static_cast<char>(text.size() & 0xff);
  all += static_cast<char>(text.size() >> 8);
  return all + text;
}

}  // namespace

Result<NpyWriter> NpyWriter::create(Env& env, const std::string& path, int64_t columns) {
  NpyWriter writer(TRY(env.open_writable(path, WriteMode::kTruncate)), columns);
  TRY(writer.file_->write(header(0, columns)));
  return writer;
}

Result<void> NpyWriter::append(std::span<const float> rows) {
  CHECK(rows.size() % static_cast<size_t>(columns_) == 0, "whole rows");
  rows_ += static_cast<int64_t>(rows.size()) / columns_;
  return file_->write(std::as_bytes(rows));
}

Result<void> NpyWriter::finish() {
  const std::string final_header = header(rows_, columns_);
  TRY(file_->write_at(0, std::as_bytes(std::span(final_header))));
  return file_->close();
}

}  // namespace strata::apps
