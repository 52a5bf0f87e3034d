// Opens the socket that a server listens on: an address and port, or a path. Every refusal of the
// operating system becomes a sentence here.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

#include "base/status.h"

namespace strata::server {

using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

/// "[::1]" and "::1" are the same; a name is looked up. kUnavailable where the port is taken.
Result<void> listen_tcp(Acceptor& acceptor, const std::string& host, int port);
/// For this user alone. What a killed process left there is removed; kUnavailable where one still
/// listens, kInvalidArgument where something else has that name.
Result<void> listen_uds(Acceptor& acceptor, const std::string& path);
/// The port that was taken.
int local_port(const Acceptor& acceptor);
/// "127.0.0.1:40312", or "unix".
std::string peer_name(const boost::asio::generic::stream_protocol::endpoint& remote);
/// As many descriptors as the system lets this process have; returns how many that is.
int64_t raise_descriptor_limit();

}  // namespace strata::server
