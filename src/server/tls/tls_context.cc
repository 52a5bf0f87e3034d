// TLS 1.2 with forward secrecy and authenticated ciphers alone, and 1.3. Sessions are resumed by
// tickets: nothing is kept for clients that may come back.
#include "server/tls/tls_context.h"

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>
#include <vector>

#include "base/log.h"
#include "server/tls/pem.h"

namespace strata::server {
namespace {

constexpr const char* kCertFlag = "--ssl-certfile";
constexpr const char* kKeyFlag = "--ssl-keyfile";
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";  // of TLS 1.2
constexpr uint64_t kMaxPassword = 4 << 10;
constexpr unsigned char kProtocols[] = "\x08http/1.1";
constexpr unsigned kProtocolsBytes = sizeof(kProtocols) - 1;

// A client that offers protocols, and none of them ours, is refused (RFC 7301, section 3.2).
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned offered_bytes, void*) {
  unsigned char* found = nullptr;
  const int outcome =
      SSL_select_next_proto(&found, size, kProtocols, kProtocolsBytes, offered, offered_bytes);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::unexpected<Status> refused(const char* what) {
  return fail(Code::kInvalidData, what, openssl_reason());
}

Result<std::optional<std::string>> password_of(Env& env, const ServerTls& files) {
  if (files.password_file.empty()) return files.password;
  auto text = env.read_small_file(files.password_file, kMaxPassword);
  if (!text) {
    return std::unexpected(std::move(text).error().with_context("--ssl-keyfile-password-file"));
  }
  text->resize(text->find_first_of("\r\n") == std::string::npos ? text->size()
                                                                : text->find_first_of("\r\n"));
  return std::optional<std::string>(std::move(*text));
}

std::string time_text(const ASN1_TIME* time) {
  const std::unique_ptr<BIO, OpensslFree> bio(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(bio.get(), time);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

void warn_of_dates(X509* certificate, const std::string& path) {
  const ASN1_TIME* first = X509_get0_notBefore(certificate);
  const ASN1_TIME* last = X509_get0_notAfter(certificate);
  if (X509_cmp_current_time(last) < 0) {
    log_warning("{} {}: the certificate expired on {}: clients will refuse it", kCertFlag, path,
                time_text(last));
  } else if (X509_cmp_current_time(first) > 0) {
    log_warning("{} {}: the certificate is not valid before {}: clients will refuse it", kCertFlag,
                path, time_text(first));
  }
}

Result<void> trust(SSL_CTX* context, const std::vector<CertificatePtr>& authorities) {
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const CertificatePtr& one : authorities) {
    if (X509_STORE_add_cert(store, one.get()) != 1) return refused("an authority's certificate");
  }
  return {};
}

// The first name of the certificate that is a host's alone.
std::string first_host(X509* certificate) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string found;
  for (int i = 0; found.empty() && i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    const std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                           static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    if (!text.contains('*')) found = text;
  }
  GENERAL_NAMES_free(names);
  return found;
}

}  // namespace

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Result<void> TlsContext::set_up() {
  ERR_clear_error();
  context_ = SSL_CTX_new(server_ ? TLS_server_method() : TLS_client_method());
  if (context_ == nullptr) return refused("TLS cannot be set up");
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  if (SSL_CTX_set_cipher_list(context_, kCiphers) != 1) return refused("the ciphers of TLS");
  SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Writes move on record by record from wherever the text lies by then; idle ones hold no buffer.
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  return {};
}

Result<void> TlsContext::take_identity(Env& env, const ServerTls& files) {
  const auto chain = TRY(read_certificates(env, kCertFlag, files.certificate_file));
  const auto password = TRY(password_of(env, files));
  const KeyPtr key = TRY(read_private_key(env, kKeyFlag, files.key_file, password));
  X509* own = chain.front().get();
  if (X509_check_private_key(own, key.get()) != 1) {
    ERR_clear_error();
    return fail(Code::kInvalidData, fmt::format("{} {}", kKeyFlag, files.key_file),
                "another certificate's key",
                fmt::format("that of the first certificate in {}", files.certificate_file));
  }
  if (SSL_CTX_use_certificate(context_, own) != 1 ||
      SSL_CTX_use_PrivateKey(context_, key.get()) != 1) {
    return fail(Code::kInvalidData, fmt::format("{} {}", kCertFlag, files.certificate_file),
                openssl_reason());
  }
  for (size_t i = 1; i < chain.size(); i++) {
    if (SSL_CTX_add1_chain_cert(context_, chain[i].get()) != 1) return refused(kCertFlag);
  }
  self_signed_ = X509_self_signed(own, 0) == 1;
  warn_of_dates(own, files.certificate_file);
  return {};
}

Result<void> TlsContext::take_clients(Env& env, const ServerTls& files) {
  if (files.clients == ClientCertificates::kNone) return {};
  const auto authorities =
      TRY(read_certificates(env, "--ssl-ca-certs", files.client_authorities_file));
  TRY(trust(context_, authorities));
  for (const CertificatePtr& one : authorities) SSL_CTX_add_client_CA(context_, one.get());
  const bool must = files.clients == ClientCertificates::kRequired;
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | (must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  return {};
}

Result<std::shared_ptr<const TlsContext>> TlsContext::for_server(Env& env, const ServerTls& files) {
  std::shared_ptr<TlsContext> made(new TlsContext());
  made->server_ = true;
  TRY(made->set_up());
  TRY(made->take_identity(env, files));
  TRY(made->take_clients(env, files));
  SSL_CTX* context = made->context_;
  // Lengths frame what HTTP sends: an end without a goodbye is an end.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  constexpr unsigned char kName[] = "strata";
  SSL_CTX_set_session_id_context(context, kName, sizeof(kName) - 1);
  return made;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::for_client(Env& env,
                                                                 const ClientTls& config) {
  std::shared_ptr<TlsContext> made(new TlsContext());
  TRY(made->set_up());
  SSL_CTX* context = made->context_;
  SSL_CTX_set_alpn_protos(context, kProtocols, kProtocolsBytes);
  SSL_CTX_set_verify(context, config.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!config.verify) return made;
  if (config.authorities_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) return refused("the system's authorities");
    return made;
  }
  const auto authorities = TRY(read_certificates(env, "--cacert", config.authorities_file));
  TRY(trust(context, authorities));
  return made;
}

std::string TlsContext::name_for(const std::string& host) const {
  X509* own = SSL_CTX_get0_certificate(context_);
  if (own == nullptr) return host;
  const bool has = X509_check_ip_asc(own, host.c_str(), 0) == 1 ||
                   X509_check_host(own, host.c_str(), host.size(), 0, nullptr) == 1;
  if (has) return host;
  std::string other = first_host(own);
  return other.empty() ? host : other;
}

}  // namespace strata::server
