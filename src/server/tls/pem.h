// Certificates and private keys out of PEM files, for TLS contexts. Whatever is wrong with a file
// is said by the flag that named it; nothing here is kept.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/status.h"

namespace strata::server {

struct OpensslFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using CertificatePtr = std::unique_ptr<X509, OpensslFree>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree>;

/// What OpenSSL says of its last failure on this thread; forgets it.
std::string openssl_reason();

/// All certificates of a file, at least one, in their order. `flag`: "--ssl-certfile".
Result<std::vector<CertificatePtr>> read_certificates(Env& env, const std::string& flag,
                                                      const std::string& path);
/// The first private key of a file; `password` where it is encrypted.
Result<KeyPtr> read_private_key(Env& env, const std::string& flag, const std::string& path,
                                const std::optional<std::string>& password);

}  // namespace strata::server
