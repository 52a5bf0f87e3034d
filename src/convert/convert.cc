// The order: what is there, whether it fits, what an earlier run left, the rest, the name.
#include "convert/convert.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/compute_pool.h"
#include "base/json.h"
#include "checkpoint/pack_file.h"
#include "convert/choose_coding.h"
#include "convert/fingerprint.h"
#include "convert/pack_writer.h"
#include "convert/unit_stream.h"
#include "device/cpu_device.h"
#include "memory/account.h"

namespace strata::convert {
namespace {

using checkpoint::PackContents;
using checkpoint::PackFile;
using checkpoint::PackFront;

struct Described {
  model::WeightPlan plan;
  PackContents contents;
  PackFront front;
};

Described describe(const ConvertSource& source, model::WeightPlan plan, uint64_t fingerprint) {
  Described made;
  made.plan = std::move(plan);
  made.contents = model::describe_pack(made.plan, fingerprint);
  made.contents.documents = source.documents;
  made.front = encode_front(made.contents);
  return made;
}

// The pack that would be made, where `out` is it. Anything else than a pack is never replaced.
Result<std::optional<PackFile>> find_there(Env& env, const ConvertOptions& options,
                                           uint64_t fingerprint) {
  if (!env.exists(options.out)) return std::nullopt;
  const auto file = TRY(env.open_readable(options.out));
  if (!checkpoint::is_pack(*file)) {
    return fail(Code::kInvalidArgument, "--out " + options.out, "another kind of file",
                "a new name, or a pack", "give another name");
  }
  auto pack = PackFile::open(env, options.out, options.out);
  if (pack && pack->contents().fingerprint == fingerprint) return std::move(*pack);
  if (options.overwrite) return std::nullopt;
  return fail(Code::kInvalidArgument, "--out " + options.out,
              pack ? "a pack of another model, --dtype or --compress" : pack.error().what,
              "a new name", "--overwrite replaces it");
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

Result<model::WeightPlan> plan_of_pack(device::Device& device, ComputePool& pool,
                                       const ConvertSource& source, const ConvertOptions& options) {
  if (!options.compress) return source.plan;
  CodingOptions coding;
  coding.load.threads = options.threads;
  coding.load.pack = options.pack;
  coding.progress = options.coding_progress;
  return choose_coding(device, source.checkpoint, source.plan, pool, coding);
}

class Conversion {
 public:
  Conversion(const ConvertSource& source, const ConvertOptions& options, const Described& made)
      : source_(source), options_(options), made_(made) {}

  Result<ConvertReport> run(Env& env, device::Device& device, ComputePool& pool) {
    PackWriter writer = TRY(PackWriter::open(env, options_.out, made_.contents, made_.front,
                                             options_.overwrite, [this](size_t unit) {
                                               kept_ += unit_bytes(unit);
                                               report(unit_bytes(unit));
                                             }));
    TRY(write_units(writer, device, pool));
    TRY(writer.finish());
    return ConvertReport{.file_bytes = static_cast<int64_t>(made_.front.header.file_bytes),
                         .kept_bytes = kept_,
                         .plain_bytes = source_.plan.cut.bytes,
                         .units = made_.contents.units.size()};
  }

 private:
  int64_t unit_bytes(size_t unit) const {
    return static_cast<int64_t>(made_.contents.units[unit].padded_bytes);
  }

  void report(int64_t more) {
    done_ += more;
    if (options_.progress) options_.progress(done_, kept_, made_.plan.cut.bytes);
  }

  Result<void> write_units(PackWriter& writer, device::Device& device, ComputePool& pool) {
    UnitStream stream =
        TRY(UnitStream::create(device, source_.checkpoint, made_.plan, pool,
                               {.threads = options_.threads, .pack = options_.pack}));
    while (writer.next_unit() < made_.contents.units.size()) {
      const model::WeightUnit& unit = made_.plan.cut.units[writer.next_unit()];
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
      TRY(fingerprint_of(source.documents, source.checkpoint, source.plan, options.compress));
  if (const auto pack = TRY(find_there(env, options, fingerprint))) {
    return ConvertReport{
        .file_bytes = static_cast<int64_t>(TRY(env.open_readable(options.out))->size()),
        .units = pack->units().size(),
        .already_there = true};
  }
  device::CpuDevice device;
  const auto pool = TRY(ComputePool::create(options.threads));
  const Described made =
      describe(source, TRY(plan_of_pack(device, *pool, source, options)), fingerprint);
  TRY(check_room(env, options.out, made.front.header.file_bytes));
  return Conversion(source, options, made).run(env, device, *pool);
}

}  // namespace strata::convert
