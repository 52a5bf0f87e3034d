// OpenSSL's digests; failing is for want of memory alone.
#include "hub/digest.h"

#include <fmt/core.h>
#include <openssl/evp.h>

#include "base/check.h"

namespace strata::hub {

void Digest::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Digest::Digest(DigestKind kind, uint64_t bytes) : context_(EVP_MD_CTX_new()) {
  const EVP_MD* method = kind == DigestKind::kSha256 ? EVP_sha256() : EVP_sha1();
  CHECK(context_ && EVP_DigestInit_ex(context_.get(), method, nullptr) == 1, "no digest");
  if (kind == DigestKind::kSha256) return;
  std::string head = fmt::format("blob {}", bytes);
  head.push_back('\0');
  add(std::as_bytes(std::span(head)));
}

void Digest::add(std::span<const std::byte> data) {
  CHECK(EVP_DigestUpdate(context_.get(), data.data(), data.size()) == 1, "no digest");
}

std::string Digest::finish() {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(EVP_DigestFinal_ex(context_.get(), bytes, &size) == 1, "no digest");
  std::string text;
  for (unsigned int i = 0; i < size; i++) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

}  // namespace strata::hub
