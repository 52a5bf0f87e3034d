// The name of a file's content, computed as its bytes arrive.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "hub/repo.h"

struct evp_md_ctx_st;

namespace strata::hub {

class Digest {
 public:
  /// `bytes` of the whole file: git's digest begins with it.
  Digest(DigestKind kind, uint64_t bytes);
  void add(std::span<const std::byte> data);
  /// Lower-case hexadecimal; nothing may be added any more.
  std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace strata::hub
