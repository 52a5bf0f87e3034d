// What the TLS connections of one side share: the certificate that a server shows or the
// authorities that a client trusts, versions and ciphers. Between PEM files, whose every fault
// becomes a sentence here, and tls_stream.h; it opens no connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/status.h"

struct ssl_ctx_st;  // OpenSSL's

namespace strata::server {

/// Whether clients show a certificate too; numbered as in Python's ssl module.
enum class ClientCertificates : uint8_t { kNone = 0, kOptional = 1, kRequired = 2 };

struct ServerTls {
  std::string certificate_file;    // PEM: the server's own first, then those on the way to a root
  std::string key_file;            // PEM
  std::string password_file = {};  // of an encrypted key; its first line
  std::optional<std::string> password = {};  // or the password itself
  std::string client_authorities_file = {};  // PEM: who may sign certificates of clients
  ClientCertificates clients = ClientCertificates::kNone;
};

struct ClientTls {
  std::string authorities_file = {};  // PEM; empty: those that the system trusts
  bool verify = true;
};

/// Immutable once made; its connections, on any thread, keep it alive.
class TlsContext {
 public:
  /// Reads and checks everything; kNotFound, kIo or kInvalidData naming the flag, the file and what
  /// is wrong with it. A certificate that has expired is a warning in the log.
  static Result<std::shared_ptr<const TlsContext>> for_server(Env& env, const ServerTls& files);
  static Result<std::shared_ptr<const TlsContext>> for_client(Env& env, const ClientTls& config);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  bool is_server() const { return server_; }
  /// Of a server: no authority stands behind its certificate.
  bool self_signed() const { return self_signed_; }
  /// Of a server: `host` where the certificate has it, else the first name that it has.
  std::string name_for(const std::string& host) const;
  ssl_ctx_st* native() const { return context_; }

 private:
  TlsContext() = default;
  Result<void> set_up();
  Result<void> take_identity(Env& env, const ServerTls& files);
  Result<void> take_clients(Env& env, const ServerTls& files);

  ssl_ctx_st* context_ = nullptr;
  bool server_ = false;
  bool self_signed_ = false;
};

}  // namespace strata::server
