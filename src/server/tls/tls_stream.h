// TLS of one connection over a socket that does not block: each call does what it can at once and
// says what it waits for. Between a link, which waits with its deadlines, and OpenSSL. Asio's own
// TLS stream is not used: it neither tries without waiting nor waits without a buffer, and a link's
// watch for clients that go needs both.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "server/tls/tls_context.h"
#include "server/tls/transfer.h"

struct ssl_st;  // OpenSSL's

namespace strata::server {

/// All calls come from the thread that has the socket.
class TlsStream {
 public:
  /// `socket` must outlive it. `server_name`: whom a client means to talk to, a name or an address.
  TlsStream(StreamSocket& socket, std::shared_ptr<const TlsContext> context,
            const std::string& server_name);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  ~TlsStream();

  Transfer handshake();
  Transfer read(char* to, size_t size);
  /// Whether something can be read, without taking it.
  Transfer peek();
  /// Where it must be tried again, then with the same text.
  Transfer write(std::string_view text);
  /// Says goodbye (close_notify); the other side's is not waited for.
  Transfer end();

  /// The other side has sent something, whatever it was.
  bool heard() const { return heard_; }
  /// A client has spoken plain HTTP.
  bool spoke_http() const { return spoke_http_; }
  /// The other side's certificate was refused.
  bool distrusts() const { return distrusts_; }
  /// Why it failed.
  const std::string& fault() const { return fault_; }

 private:
  friend struct SocketBio;
  Transfer outcome(int returned, size_t bytes);
  void note_fault(int kind);

  StreamSocket& socket_;
  const std::shared_ptr<const TlsContext> context_;
  ssl_st* ssl_ = nullptr;
  std::string fault_;
  bool socket_ended_ = false;
  bool heard_ = false;
  bool established_ = false;
  bool failed_ = false;
  bool spoke_http_ = false;
  bool distrusts_ = false;
};

}  // namespace strata::server
