// The keys that open a server, kept as hashes and compared in constant time. It decides who may
// come in; which routes ask is the route table's, and what each key may ask for is counted by
// key_limits.h.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_types.h"
#include "server/keys/key_limits.h"

namespace strata::server {

class ApiKeys {
 public:
  /// A key that is there already keeps its place and has these limits from now on.
  void add(std::string_view key, const KeyLimit& limit = {});
  /// In the keys' order.
  const std::vector<KeyLimit>& limits() const { return limits_; }
  /// A name for each key, in their order: the same in every run, and no way back to the key but by
  /// trying keys.
  std::vector<std::string> owners() const;
  bool empty() const { return hashes_.empty(); }
  /// Which key it is. The time does not depend on where keys differ, nor on which one matches.
  std::optional<size_t> find(std::string_view key) const;
  /// The same for what a head gives: "Authorization: Bearer KEY", or "x-api-key: KEY". Nothing
  /// where neither is right.
  std::optional<size_t> find_given(const Head& head) const;

 private:
  using Hash = std::array<unsigned char, 32>;  // SHA-256
  std::optional<size_t> find_bearer(std::string_view authorization) const;
  static Hash hash(std::string_view key);

  std::vector<Hash> hashes_;
  std::vector<KeyLimit> limits_;
};

}  // namespace strata::server
