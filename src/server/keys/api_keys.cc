// Hashes make all keys equally long.
#include "server/keys/api_keys.h"

#include <fmt/core.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace strata::server {

ApiKeys::Hash ApiKeys::hash(std::string_view key) {
  Hash made{};
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), made.data());
  return made;
}

void ApiKeys::add(std::string_view key, const KeyLimit& limit) {
  if (const auto known = find(key)) {
    limits_[*known] = limit;
    return;
  }
  hashes_.push_back(hash(key));
  limits_.push_back(limit);
}

std::vector<std::string> ApiKeys::owners() const {
  constexpr size_t kShown = 16;  // bytes
  std::vector<std::string> made;
  for (const Hash& one : hashes_) {
    const std::string_view bytes(reinterpret_cast<const char*>(one.data()), one.size());
    const Hash again = hash("owner of files " + std::string(bytes));
    std::string& name = made.emplace_back();
    for (size_t i = 0; i < kShown; i++) name += fmt::format("{:02x}", again[i]);
  }
  return made;
}

std::optional<size_t> ApiKeys::find(std::string_view key) const {
  const Hash given = hash(key);
  size_t found = hashes_.size();
  for (size_t i = 0; i < hashes_.size(); i++) {
    const bool same = CRYPTO_memcmp(given.data(), hashes_[i].data(), given.size()) == 0;
    found = same ? i : found;
  }
  if (found == hashes_.size()) return std::nullopt;
  return found;
}

std::optional<size_t> ApiKeys::find_bearer(std::string_view authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (!same_name(authorization.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  return find(authorization);
}

std::optional<size_t> ApiKeys::find_given(const Head& head) const {
  const std::string* bearer = head.field("authorization");
  const std::string* plain = head.field("x-api-key");
  std::optional<size_t> found;
  if (bearer != nullptr) found = find_bearer(*bearer);
  if (!found && plain != nullptr) found = find(*plain);
  return found;
}

}  // namespace strata::server
