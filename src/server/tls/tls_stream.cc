// OpenSSL reads and writes through a BIO over Asio's socket, which never raises SIGPIPE and knows
// when it has been closed.
#include "server/tls/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/buffer.hpp>
#include <utility>

#include "server/tls/pem.h"

namespace strata::server {

namespace asio = boost::asio;
using Failure = boost::system::error_code;

/// The BIO's functions.
struct SocketBio {
  static TlsStream& of(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int write(BIO* bio, const char* data, size_t size, size_t* written) {
    Failure failure;
    *written = of(bio).socket_.write_some(asio::buffer(data, size), failure);
    BIO_clear_retry_flags(bio);
    if (failure == asio::error::would_block) BIO_set_retry_write(bio);
    return failure ? 0 : 1;
  }

  static int read(BIO* bio, char* to, size_t size, size_t* count) {
    TlsStream& stream = of(bio);
    Failure failure;
    *count = stream.socket_.read_some(asio::buffer(to, size), failure);
    BIO_clear_retry_flags(bio);
    if (failure == asio::error::would_block) BIO_set_retry_read(bio);
    if (failure == asio::error::eof) stream.socket_ended_ = true;
    stream.heard_ = stream.heard_ || *count > 0;
    return failure ? 0 : 1;
  }

  static long control(BIO* bio, int what, long, void*) {
    if (what == BIO_CTRL_EOF) return of(bio).socket_ended_ ? 1 : 0;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO_METHOD* make() {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket of a link");
    BIO_meth_set_write_ex(made, write);
    BIO_meth_set_read_ex(made, read);
    BIO_meth_set_ctrl(made, control);
    return made;
  }
};

namespace {

BIO* socket_bio(TlsStream* stream) {
  static BIO_METHOD* const method = SocketBio::make();
  BIO* bio = BIO_new(method);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, stream);
  BIO_set_init(bio, 1);
  return bio;
}

// An address stands in certificates as one, and is no name to ask for.
void expect_server(SSL* ssl, const std::string& name) {
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1) return;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  SSL_set1_host(ssl, name.c_str());
  SSL_set_tlsext_host_name(ssl, name.c_str());
}

}  // namespace

Transfer transfer_of(const Failure& failure, size_t bytes, Transfer::Next wants) {
  if (!failure) return {Transfer::Next::kDone, bytes};
  if (failure == asio::error::would_block) return {wants, bytes};
  if (failure == asio::error::eof) return {Transfer::Next::kEnded, bytes};
  return {Transfer::Next::kFailed, bytes};
}

TlsStream::TlsStream(StreamSocket& socket, std::shared_ptr<const TlsContext> context,
                     const std::string& server_name)
    : socket_(socket), context_(std::move(context)), ssl_(SSL_new(context_->native())) {
  BIO* bio = ssl_ == nullptr ? nullptr : socket_bio(this);
  if (bio == nullptr) {
    failed_ = true;
    fault_ = "no memory";
    return;
  }
  SSL_set_bio(ssl_, bio, bio);
  if (context_->is_server()) {
    SSL_set_accept_state(ssl_);
  } else {
    SSL_set_connect_state(ssl_);
    expect_server(ssl_, server_name);
  }
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

Transfer TlsStream::handshake() {
  if (failed_) return {};
  ERR_clear_error();
  const Transfer made = outcome(SSL_do_handshake(ssl_), 0);
  established_ = made.next == Transfer::Next::kDone;
  return made;
}

Transfer TlsStream::read(char* to, size_t size) {
  if (failed_) return {};
  ERR_clear_error();
  size_t count = 0;
  const int returned = SSL_read_ex(ssl_, to, size, &count);
  return outcome(returned, count);
}

Transfer TlsStream::peek() {
  if (failed_) return {};
  ERR_clear_error();
  size_t count = 0;
  char first = 0;
  const int returned = SSL_peek_ex(ssl_, &first, 1, &count);
  return outcome(returned, count);
}

Transfer TlsStream::write(std::string_view text) {
  if (failed_) return {};
  ERR_clear_error();
  size_t count = 0;
  const int returned = SSL_write_ex(ssl_, text.data(), text.size(), &count);
  return outcome(returned, count);
}

Transfer TlsStream::end() {
  if (failed_ || !established_) return {};
  ERR_clear_error();
  const int returned = SSL_shutdown(ssl_);
  if (returned >= 0) return {Transfer::Next::kDone, 0};
  return outcome(returned, 0);
}

Transfer TlsStream::outcome(int returned, size_t bytes) {
  if (returned > 0) return {Transfer::Next::kDone, bytes};
  const int kind = SSL_get_error(ssl_, returned);
  switch (kind) {
    case SSL_ERROR_WANT_READ:
      return {Transfer::Next::kReadable, 0};
    case SSL_ERROR_WANT_WRITE:
      return {Transfer::Next::kWritable, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Transfer::Next::kEnded, 0};
    default:
      note_fault(kind);
      return {};
  }
}

void TlsStream::note_fault(int kind) {
  failed_ = true;
  const unsigned long error = ERR_peek_error();
  spoke_http_ = ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST;
  const long verified = SSL_get_verify_result(ssl_);
  distrusts_ = verified != X509_V_OK && SSL_get_verify_mode(ssl_) != SSL_VERIFY_NONE;
  if (distrusts_) {
    fault_ = std::string("its certificate: ") + X509_verify_cert_error_string(verified);
  } else if (kind == SSL_ERROR_SSL) {
    fault_ = openssl_reason();
  } else {
    fault_ = "the connection was closed";
  }
  ERR_clear_error();
}

}  // namespace strata::server
