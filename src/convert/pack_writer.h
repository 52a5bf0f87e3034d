// A pack being written under another name, FILE.partial, until it is whole: what of it survives a
// kill, a full disk or a power failure is found again and gone on with. Knows bytes and checksums
// only; what the units hold comes from unit_stream.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/checksum.h"
#include "base/env.h"
#include "base/status.h"
#include "checkpoint/pack_format.h"

namespace strata::convert {

std::string partial_name(const std::string& out);

class PackWriter {
 public:
  /// Opens or creates the partial file of `out`, which no other process may be writing (kBusy). The
  /// units at its front whose bytes have their checksum are kept, `on_kept` is called for each.
  /// Refused unless `overwrite`: a partial file of another model, format or version. `contents` and
  /// its front must stay as they are.
  static Result<PackWriter> open(Env& env, const std::string& out,
                                 const checkpoint::PackContents& contents,
                                 const checkpoint::PackFront& front, bool overwrite,
                                 const std::function<void(size_t unit)>& on_kept);

  /// The first unit that is missing; units follow in order.
  size_t next_unit() const { return next_; }

  /// More of the unit's padded bytes. The page cache forgets them soon after.
  Result<void> add(std::span<const std::byte> bytes);
  /// All of the unit has been added.
  Result<void> end_unit();
  /// After the last unit: makes the pack whole and gives it its name. Nothing is called `out`
  /// before all of it is on the disk.
  Result<void> finish();

 private:
  PackWriter(Env& env, const std::string& out, const checkpoint::PackContents& contents,
             const checkpoint::PackFront& front)
      : env_(&env), out_(out), contents_(&contents), header_(front.header), front_(front.bytes) {}
  Result<bool> may_go_on(const ReadableFile& file, bool overwrite) const;
  Result<void> keep_units(const ReadableFile& file, const std::function<void(size_t)>& on_kept);
  Result<bool> is_whole(const ReadableFile& file, size_t unit);
  void set_checksum(size_t unit, uint64_t sum);
  uint64_t unit_offset(size_t unit) const;

  Env* env_;
  std::string out_;
  const checkpoint::PackContents* contents_;
  checkpoint::PackHeader header_;
  std::string front_;  // with the checksums known so far
  std::unique_ptr<WritableFile> file_;
  size_t next_ = 0;
  uint64_t at_ = 0;  // in the file
  Checksum sum_;
  uint64_t cached_from_ = 0;  // written, and still in the page cache
};

}  // namespace strata::convert
