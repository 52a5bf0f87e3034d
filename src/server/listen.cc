// Open, bind, listen.
#include "server/listen.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <cstring>

namespace strata::server {
namespace {

namespace asio = boost::asio;
using Failure = boost::system::error_code;
using Endpoint = asio::generic::stream_protocol::endpoint;

Result<void> bind_and_listen(Acceptor& acceptor, const Endpoint& endpoint, const std::string& name,
                             const char* hint) {
  Failure failure;
  const auto refused = [&] {
    return fail(Code::kUnavailable, fmt::format("cannot listen on {}", name), failure.message(), {},
                hint);
  };
  acceptor.open(endpoint.protocol(), failure);
  if (failure) return refused();
  acceptor.set_option(asio::socket_base::reuse_address(true), failure);
  acceptor.bind(endpoint, failure);
  if (failure) return refused();
  acceptor.listen(asio::socket_base::max_listen_connections, failure);
  if (failure) return refused();
  return {};
}

Result<asio::ip::tcp::endpoint> resolved(Acceptor& acceptor, std::string host, int port) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  Failure failure;
  const auto number = static_cast<unsigned short>(port);
  const auto address = asio::ip::make_address(host, failure);
  if (!failure) return asio::ip::tcp::endpoint(address, number);
  asio::ip::tcp::resolver resolver(acceptor.get_executor());
  const auto found = resolver.resolve(host, "", asio::ip::tcp::resolver::passive, failure);
  if (!failure && !found.empty()) {
    return asio::ip::tcp::endpoint(found.begin()->endpoint().address(), number);
  }
  return fail(Code::kInvalidArgument, "--host", fmt::format("\"{}\"", host),
              "an address or name of this machine");
}

// A socket that nobody listens on is left over from a process that was killed.
Result<void> remove_leftover(const std::string& path) {
  struct stat found = {};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) {
    return fail(Code::kInvalidArgument, "--uds", path, "a path that nothing has yet");
  }
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool taken =
      ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(probe);
  if (taken) return fail(Code::kUnavailable, path, "a server listens there", {}, "end it first");
  ::unlink(path.c_str());
  return {};
}

}  // namespace

Result<void> listen_tcp(Acceptor& acceptor, const std::string& host, int port) {
  const auto endpoint = TRY(resolved(acceptor, host, port));
  TRY(bind_and_listen(acceptor, endpoint, fmt::format("{}:{}", host, port),
                      "is another server running? give another --port, or 0 for any"));
  Failure ignored;  // accepted sockets inherit it, where that costs no call for each of them
  acceptor.set_option(asio::ip::tcp::no_delay(true), ignored);
  return {};
}

Result<void> listen_uds(Acceptor& acceptor, const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(Code::kInvalidArgument, "--uds", fmt::format("{} bytes", path.size()),
                fmt::format("at most {} bytes", sizeof(sockaddr_un::sun_path) - 1));
  }
  TRY(remove_leftover(path));
  const mode_t before = ::umask(0177);
  auto listening = bind_and_listen(acceptor, asio::local::stream_protocol::endpoint(path), path,
                                   "the folder must exist and be yours");
  ::umask(before);
  return listening;
}

int local_port(const Acceptor& acceptor) {
  Failure failure;
  const Endpoint local = acceptor.local_endpoint(failure);
  if (failure) return 0;
  // The port lies at the same place for both families.
  const auto* address = reinterpret_cast<const sockaddr_in*>(local.data());
  return ntohs(address->sin_port);
}

std::string peer_name(const asio::generic::stream_protocol::endpoint& remote) {
  char text[INET6_ADDRSTRLEN] = {};
  if (remote.data()->sa_family == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(remote.data());
    ::inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
    return fmt::format("{}:{}", text, ntohs(address->sin_port));
  }
  if (remote.data()->sa_family != AF_INET6) return "unix";
  const auto* address = reinterpret_cast<const sockaddr_in6*>(remote.data());
  ::inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof(text));
  return fmt::format("[{}]:{}", text, ntohs(address->sin6_port));
}

int64_t raise_descriptor_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int64_t>(limit.rlim_cur);
}

}  // namespace strata::server
