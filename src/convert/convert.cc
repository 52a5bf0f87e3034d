// The order: what is there, whether it fits, what an earlier run left, the rest, the name.
#include "convert/convert.h"

#include <algorithm>

#include "base/compute_pool.h"
#include "base/json.h"
#include "checkpoint/pack_file.h"
#include "convert/fingerprint.h"
#include "convert/pack_writer.h"
#include "convert/unit_stream.h"
#include "device/cpu_device.h"
#include "memory/account.h"

namespace strata::convert {
namespace {

using checkpoint::PackContents;
using checkpoint::PackFront;

struct Described {
  PackContents contents;
  PackFront front;
};

Described describe(const ConvertSource& source, uint64_t fingerprint) {
  Described made;
  made.contents = model::describe_pack(source.plan, fingerprint);
  made.contents.documents = source.documents;
  made.front = encode_front(made.contents);
  return made;
}

// Whether `out` is there and is the pack that would be made. Anything else than a pack is never
// replaced.
Result<bool> is_there(Env& env, const ConvertOptions& options, const PackFront& front) {
  if (!env.exists(options.out)) return false;
  const auto file = TRY(env.open_readable(options.out));
  if (!checkpoint::is_pack(*file)) {
    return fail(Code::kInvalidArgument, "--out " + options.out, "another kind of file",
                "a new name, or a pack", "give another name");
  }
  const auto pack = checkpoint::PackFile::open(env, options.out, options.out);
  if (pack && pack->contents().fingerprint == front.header.fingerprint &&
      file->size() == front.header.file_bytes) {
    return true;
  }
  if (options.overwrite) return false;
  return fail(Code::kInvalidArgument, "--out " + options.out,
              pack ? "a pack of another model or --dtype" : pack.error().what, "a new name",
              "--overwrite replaces it");
}

Result<void> check_room(Env& env, const std::string& out, uint64_t file_bytes) {
  const std::string folder = parent_path(out);
  const std::string partial = partial_name(out);
  uint64_t there = 0;
  if (env.exists(partial)) there = TRY(env.open_readable(partial))->size();
  const uint64_t needed = file_bytes - std::min(there, file_bytes);
  const uint64_t free = TRY(in_file("--out", env.free_disk_bytes(folder)));
  if (free >= needed) return {};
  return fail(Code::kResourceLimit, "disk of " + folder,
              memory::format_bytes(static_cast<int64_t>(free)) + " free",
              memory::format_bytes(static_cast<int64_t>(needed)) + " for the pack",
              "free some space or give an --out on another disk");
}

class Conversion {
 public:
  Conversion(const ConvertSource& source, const ConvertOptions& options, const Described& made)
      : source_(source), options_(options), made_(made) {}

  Result<ConvertReport> run(Env& env) {
    PackWriter writer = TRY(PackWriter::open(env, options_.out, made_.contents, made_.front,
                                             options_.overwrite, [this](size_t unit) {
                                               kept_ += unit_bytes(unit);
                                               report(unit_bytes(unit));
                                             }));
    TRY(write_units(writer));
    TRY(writer.finish());
    return ConvertReport{.file_bytes = static_cast<int64_t>(made_.front.header.file_bytes),
                         .kept_bytes = kept_,
                         .units = made_.contents.units.size()};
  }

 private:
  int64_t unit_bytes(size_t unit) const {
    return static_cast<int64_t>(made_.contents.units[unit].padded_bytes);
  }

  void report(int64_t more) {
    done_ += more;
    if (options_.progress) options_.progress(done_, kept_, source_.plan.cut.bytes);
  }

  Result<void> write_units(PackWriter& writer) {
    device::CpuDevice device;
    const auto pool = TRY(ComputePool::create(options_.threads));
    UnitStream stream =
        TRY(UnitStream::create(device, source_.checkpoint, source_.plan, *pool,
                               {.threads = options_.threads, .pack = options_.pack}));
    while (writer.next_unit() < made_.contents.units.size()) {
      const model::WeightUnit& unit = source_.plan.cut.units[writer.next_unit()];
      const UnitStream::Sink write = [&](std::span<const std::byte> bytes) -> Result<void> {
        TRY(writer.add(bytes));
        report(static_cast<int64_t>(bytes.size()));
        return {};
      };
      TRY(stream.run(unit, write));
      TRY(writer.end_unit());
    }
    for (size_t i = 0; i < source_.checkpoint.file_count(); i++) {
      const ReadableFile& file = source_.checkpoint.file(i);
      file.drop_cached(0, file.size());
    }
    return {};
  }

  const ConvertSource& source_;
  const ConvertOptions& options_;
  const Described& made_;
  int64_t done_ = 0;
  int64_t kept_ = 0;
};

}  // namespace

Result<ConvertReport> convert_model(Env& env, const ConvertSource& source,
                                    const ConvertOptions& options) {
  const uint64_t fingerprint =
      TRY(fingerprint_of(source.documents, source.checkpoint, source.plan));
  const Described made = describe(source, fingerprint);
  const auto file_bytes = static_cast<int64_t>(made.front.header.file_bytes);
  if (TRY(is_there(env, options, made.front))) {
    return ConvertReport{
        .file_bytes = file_bytes, .units = made.contents.units.size(), .already_there = true};
  }
  TRY(check_room(env, options.out, made.front.header.file_bytes));
  return Conversion(source, options, made).run(env);
}

}  // namespace strata::convert
