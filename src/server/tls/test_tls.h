// For tests: certificates made on the spot, so that none is kept that expires one day, and a
// blocking client with TLS. No product code links it.
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "server/test_client.h"

namespace strata::server::testing {

inline std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

/// A certificate and its key, in PEM.
struct Issued {
  std::string certificate;
  std::string key;
  std::shared_ptr<X509> x509;
  std::shared_ptr<EVP_PKEY> pkey;

  std::string encrypted_key(const std::string& password) const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, pkey.get(), EVP_aes_128_cbc(), password.data(),
                                  static_cast<int>(password.size()), nullptr, nullptr);
    return text_of(bio);
  }
};

struct Wish {
  std::string names = "DNS:localhost,IP:127.0.0.1";
  long first_day = -1;  // from today
  long last_day = 30;
  const Issued* issuer = nullptr;  // null: it signs itself, and may sign others
};

inline void add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  X509_add_ext(certificate, made, -1);
  X509_EXTENSION_free(made);
}

inline Issued issue(const Wish& wish = {}) {
  static long serial = 1000;
  constexpr long kDay = 24 * 60 * 60;
  Issued made;
  made.pkey = {EVP_EC_gen("P-256"), EVP_PKEY_free};
  made.x509 = {X509_new(), X509_free};
  X509* certificate = made.x509.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wish.first_day * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.last_day * kDay);
  X509_set_pubkey(certificate, made.pkey.get());
  const std::string name = "Strata test " + std::to_string(serial);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509* issuer = wish.issuer == nullptr ? certificate : wish.issuer->x509.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  add_extension(certificate, NID_subject_alt_name, wish.names);
  add_extension(certificate, NID_basic_constraints,
                wish.issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
  EVP_PKEY* signer = wish.issuer == nullptr ? made.pkey.get() : wish.issuer->pkey.get();
  EXPECT_GT(X509_sign(certificate, signer, EVP_sha256()), 0);
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  made.certificate = text_of(bio);
  bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, made.pkey.get(), nullptr, nullptr, 0, nullptr, nullptr);
  made.key = text_of(bio);
  return made;
}

/// Of 127.0.0.1. Where the handshake fails nothing can be sent, and nothing comes.
class TlsClient : public Client {
 public:
  struct Options {
    const Issued* trusted = nullptr;  // null: whoever it is
    const Issued* own = nullptr;      // shown where it is asked for
    std::string protocols = {};       // ALPN, as it is sent
    int newest = TLS1_3_VERSION;
    SSL_SESSION* session = nullptr;  // to be resumed
  };
  TlsClient(int port, const Options& options) : Client(port) {
    std::signal(SIGPIPE, SIG_IGN);
    context_ = {SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), options.newest);
    if (options.trusted != nullptr) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), options.trusted->x509.get());
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    }
    if (options.own != nullptr) {
      SSL_CTX_use_certificate(context_.get(), options.own->x509.get());
      SSL_CTX_use_PrivateKey(context_.get(), options.own->pkey.get());
    }
    ssl_ = {SSL_new(context_.get()), SSL_free};
    const auto* protocols = reinterpret_cast<const unsigned char*>(options.protocols.data());
    SSL_set_alpn_protos(ssl_.get(), protocols, static_cast<unsigned>(options.protocols.size()));
    if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
    SSL_set_fd(ssl_.get(), socket());
    secured_ = SSL_connect(ssl_.get()) == 1;
  }

  bool secured() const { return secured_; }
  SSL* ssl() const { return ssl_.get(); }
  /// Ends its side, as TLS has it.
  void say_goodbye() { SSL_shutdown(ssl_.get()); }
  /// The server has said goodbye.
  bool heard_goodbye() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

 protected:
  ssize_t send_some(std::string_view text) override {
    return SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
  }
  ssize_t receive_some(char* to, size_t size) override {
    ERR_clear_error();
    return SSL_read(ssl_.get(), to, static_cast<int>(size));
  }

 private:
  std::shared_ptr<SSL_CTX> context_;
  std::shared_ptr<SSL> ssl_;
  bool secured_ = false;
};

}  // namespace strata::server::testing
