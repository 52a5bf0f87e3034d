// One file on its way into the cache: pieces arrive in any order, what is on the disk is always a
// beginning of it, so that a kill at any moment leaves something to go on from. The digest is
// computed as bytes are appended; only a file whose digest is right gets the blob's name.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/status.h"
#include "hub/digest.h"
#include "hub/repo.h"

namespace strata::hub {

/// For one thread at a time.
class BlobWriter {
 public:
  /// Keeps what an earlier run left at `incomplete`, as far as it can be a beginning of the file.
  static Result<BlobWriter> open(Env& env, const RemoteFile& file, std::string incomplete,
                                 std::string blob);

  uint64_t kept() const { return kept_; }        // bytes of an earlier run
  uint64_t written() const { return written_; }  // without gaps from the start
  bool complete() const { return written_ == file_.bytes; }

  /// Bytes that start at `offset`, which must not have come before and not end behind the file.
  Result<void> put(uint64_t offset, std::string bytes);

  enum class Outcome { kDone, kStartAnew };
  /// Of a complete file: on the disk under the blob's name, or kStartAnew where what an earlier run
  /// left was spoilt and is gone. kInvalidData where this run's bytes are not those of the digest;
  /// nothing stays of them.
  Result<Outcome> finish();

 private:
  BlobWriter(Env& env, RemoteFile file, std::string incomplete, std::string blob);
  Result<void> keep_earlier();
  Result<void> append(const std::string& bytes);

  Env* env_;
  RemoteFile file_;
  std::string incomplete_, blob_;
  std::unique_ptr<WritableFile> out_;
  Digest digest_;
  uint64_t kept_ = 0, written_ = 0;
  std::map<uint64_t, std::string> waiting_;  // pieces behind a gap
};

}  // namespace strata::hub
