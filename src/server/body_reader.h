// A request's body as it arrives: framed by its length or by chunks, in pieces of a bounded size.
// Between the link and whoever takes bodies; it knows no content.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>

#include "server/http_types.h"
#include "server/link.h"

namespace strata::server {

class BodyReader {
 public:
  static constexpr size_t kPieceBytes = 256 << 10;

  struct Sizes {
    size_t most_bytes = 0;  // of the body: a larger one is refused
    size_t piece_bytes = kPieceBytes;
  };
  /// The head stands at the front of the link's input, for its framing to be found there. Link and
  /// limits must outlive the reader.
  BodyReader(Link& link, const HttpLimits& limits, const Sizes& sizes);
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;
  ~BodyReader();

  /// The next bytes, a piece's at least where the body does not end before, and a few KiB more at
  /// most; empty at the end. The caller arms the link.
  asio::awaitable<std::expected<std::string, HttpError>> next();
  /// The same, a piece at most body_timeout late.
  asio::awaitable<std::expected<std::string, HttpError>> timed_piece();
  /// Nothing more will come.
  bool done() const;

 private:
  struct Parser;

  Link& link_;
  const HttpLimits& limits_;
  const Sizes sizes_;
  std::unique_ptr<Parser> parser_;
};

}  // namespace strata::server
