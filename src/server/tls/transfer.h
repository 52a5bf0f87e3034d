// What came of a read or a write that does not wait: the one answer that a plain socket and a TLS
// stream both give, so that everything above knows neither.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>

namespace strata::server {

using StreamSocket = boost::asio::generic::stream_protocol::socket;

struct Transfer {
  enum class Next : uint8_t {
    kDone,      // `bytes` were moved
    kReadable,  // to be tried again once the socket can be read
    kWritable,  // or written
    kEnded,     // the other side ended its stream in order
    kFailed,
  };
  Next next = Next::kFailed;
  size_t bytes = 0;

  bool waits() const { return next == Next::kReadable || next == Next::kWritable; }
};

/// Of an operation on a socket that does not block; `wants` where it would have.
Transfer transfer_of(const boost::system::error_code& failure, size_t bytes, Transfer::Next wants);

}  // namespace strata::server
