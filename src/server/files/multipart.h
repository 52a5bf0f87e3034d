// The reader of multipart/form-data bodies, piece by piece: strict, and it keeps a boundary's
// length of the body at most, beside a part's head. Between HTTP, which gives it bytes, and the
// upload of a file; it knows no fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace strata::server {

struct PartHead {
  std::string name;
  std::optional<std::string> filename = {};  // as the client says: never a path of ours
};

struct PartEvents {
  std::function<Result<void>(const PartHead& head)> begin;
  std::function<Result<void>(std::string_view data)> data;
  std::function<Result<void>()> end;
};

/// The boundary that a Content-Type names; kInvalidData where it names none, or one that RFC 2046
/// does not allow.
Result<std::string> multipart_boundary(std::string_view content_type);

class MultipartReader {
 public:
  static constexpr size_t kMostParts = 16;
  static constexpr size_t kMostHeadBytes = 4096;  // of a part

  MultipartReader(const std::string& boundary, PartEvents events);
  /// What follows of the body. A failure, of the body's form or of an event, is the last call's.
  Result<void> push(std::string_view bytes);
  /// The body has ended: kInvalidData where it is cut short.
  Result<void> finish() const;

 private:
  enum class State : uint8_t { kStart, kBehindMark, kHead, kData, kEnd };
  /// False where more bytes are needed.
  Result<bool> advance();
  Result<bool> take_start();
  Result<bool> take_mark_end();
  Result<bool> take_head();
  Result<bool> take_data();

  std::string mark_;  // line break, dashes, boundary
  PartEvents events_;
  State state_ = State::kStart;
  std::string held_;  // received and not yet understood
  size_t parts_ = 0;
};

}  // namespace strata::server
