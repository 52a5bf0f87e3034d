// OpenSSL reads from memory, so that files go through Env; it never asks a terminal for passwords.
#include "server/tls/pem.h"

#include <fmt/core.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace strata::server {
namespace {

constexpr uint64_t kMaxPem = 1 << 20;

// What OpenSSL is told when it asks for a password, and that it asked.
struct Asked {
  const std::optional<std::string>& password;
  bool asked = false;
};

int give_password(char* to, int size, int, void* data) {
  auto& asked = *static_cast<Asked*>(data);
  asked.asked = true;
  if (!asked.password || std::ssize(*asked.password) > size) return -1;
  std::memcpy(to, asked.password->data(), asked.password->size());
  return static_cast<int>(asked.password->size());
}

std::unexpected<Status> bad_file(const std::string& flag, const std::string& path, std::string got,
                                 std::string expected, std::string hint) {
  return fail(Code::kInvalidData, fmt::format("{} {}", flag, path), std::move(got),
              std::move(expected), std::move(hint));
}

Result<std::string> read_pem(Env& env, const std::string& flag, const std::string& path) {
  auto text = env.read_small_file(path, kMaxPem);
  if (!text) return std::unexpected(std::move(text).error().with_context(flag));
  return text;
}

std::unique_ptr<BIO, OpensslFree> memory_bio(const std::string& text) {
  ERR_clear_error();
  return std::unique_ptr<BIO, OpensslFree>(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

bool at_end() { return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE; }

}  // namespace

std::string openssl_reason() {
  const unsigned long error = ERR_peek_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  std::string text = reason == nullptr ? "no reason is known" : reason;
  ERR_clear_error();
  return text;
}

Result<std::vector<CertificatePtr>> read_certificates(Env& env, const std::string& flag,
                                                      const std::string& path) {
  const std::string text = TRY(read_pem(env, flag, path));
  const auto bio = memory_bio(text);
  const std::optional<std::string> none;
  Asked asked{.password = none};
  std::vector<CertificatePtr> made;
  for (;;) {
    CertificatePtr one(PEM_read_bio_X509(bio.get(), nullptr, give_password, &asked));
    if (!one) break;
    made.push_back(std::move(one));
  }
  if (!at_end()) return bad_file(flag, path, openssl_reason(), "certificates in PEM", {});
  ERR_clear_error();
  if (!made.empty()) return made;
  const bool key = text.contains("PRIVATE KEY-----");
  return bad_file(flag, path, key ? "a private key" : "no certificate",
                  "-----BEGIN CERTIFICATE-----, which is PEM",
                  key ? "the key belongs to --ssl-keyfile"
                      : "openssl x509 -inform DER -in FILE -out FILE.pem converts");
}

Result<KeyPtr> read_private_key(Env& env, const std::string& flag, const std::string& path,
                                const std::optional<std::string>& password) {
  const std::string text = TRY(read_pem(env, flag, path));
  const auto bio = memory_bio(text);
  Asked asked{.password = password};
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, give_password, &asked));
  if (key) return key;
  if (asked.asked && !password) {
    return bad_file(flag, path, "an encrypted key", "its password",
                    "give --ssl-keyfile-password-file FILE or STRATA_SSL_KEYFILE_PASSWORD");
  }
  if (asked.asked) return bad_file(flag, path, "an encrypted key", "another password", {});
  std::string reason = openssl_reason();
  if (text.contains("PRIVATE KEY-----")) {
    return bad_file(flag, path, std::move(reason), "a private key in PEM", {});
  }
  const bool certificate = text.contains("BEGIN CERTIFICATE-----");
  return bad_file(flag, path, certificate ? "a certificate" : "no private key",
                  "-----BEGIN PRIVATE KEY-----, which is PEM",
                  certificate ? "the certificate belongs to --ssl-certfile"
                              : "openssl pkey -inform DER -in FILE -out FILE.pem converts");
}

}  // namespace strata::server
