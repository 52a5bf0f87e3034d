// Opens the model as every command does, and shows how far the conversion is.
#include "apps/convert/convert.h"

#include <fmt/core.h>

#include <optional>

#include "apps/byte_progress.h"
#include "base/log.h"
#include "convert/convert.h"
#include "engine/config.h"
#include "engine/machine.h"
#include "engine/opened_model.h"
#include "kernels/kernel_table.h"
#include "memory/account.h"

namespace strata::apps {
namespace {

using memory::format_bytes;

constexpr ConfigField kFields[] = {
    {.name = "out", .unit = "FILE", .help = "the pack to write"},
    {.name = "overwrite",
     .kind = FieldKind::kSwitch,
     .help = "replace a pack of that name, and begin anew where another conversion was begun"},
    {.name = "compress",
     .kind = FieldKind::kChoice,
     .fallback = "exponents",
     .choices = "none|exponents",
     .help = "exponents stores bf16 weights with their exponents coded, three tenths smaller for "
             "the same bits: a model bigger than memory is as much faster"},
    engine::kDtypeField,
    engine::threads_field("threads that re-lay; auto is one per core that the process may use"),
};

// The rate is that of writing: looking at the weights comes before it, and has its own time.
void print_report(double looked_s, const ByteProgress& writing,
                  const convert::ConvertReport& report, const std::string& out) {
  const std::string kept = report.kept_bytes == 0 ? ""
                                                  : fmt::format(", {} of them from an earlier run",
                                                                format_bytes(report.kept_bytes));
  const std::string looked =
      looked_s == 0 ? "" : fmt::format("{:.1f} s to look at them, ", looked_s);
  const double share =
      static_cast<double>(report.file_bytes) / static_cast<double>(report.plain_bytes);
  log_info("{}: {} in {} units{}, {:.1f} % of the weights; {}{:.1f} s to write, {:.2f} GB/s", out,
           format_bytes(report.file_bytes), report.units, kept, share * 100, looked,
           writing.seconds(), writing.rate_of(report.file_bytes - report.kept_bytes) * 1e-9);
}

Result<void> check_model(const engine::OpenedModel& opened) {
  if (opened.files().pack == nullptr) return {};
  return fail(Code::kInvalidArgument, opened.source().name, "a pack", "a model's folder",
              "it is converted already; for another --dtype give the folder it was made from");
}

}  // namespace

FieldList convert_fields() { return kFields; }

Result<ConvertArgs> make_convert_args(const std::string& model, const FieldValues& values) {
  if (values.text("out").empty()) {
    return fail(Code::kInvalidArgument, "--out", "nothing", "the file to write",
                "strata convert MODEL --out MODEL.pack");
  }
  return ConvertArgs{.model = model,
                     .revision = values.text("revision"),
                     .dtype = values.text("dtype"),
                     .out = values.text("out"),
                     .overwrite = values.is_on("overwrite"),
                     .compress = values.text("compress") == "exponents",
                     .threads = static_cast<int>(values.integer("threads").value_or(0))};
}

Result<void> run_convert(Env& env, const ConvertArgs& args) {
  const engine::MachineFacts machine = engine::look_at_machine(env);
  const auto dtype = TRY(model::parse_weight_dtype(args.dtype));
  const auto opened = TRY(engine::OpenedModel::open(env, args.model, args.revision, dtype));
  TRY(check_model(*opened));
  for (const std::string& warning : opened->warnings()) log_warning("{}", warning);
  const auto documents = TRY(checkpoint::read_document_files(env, opened->source()));
  const auto table = TRY(kernels::make_cpu_kernel_table(kernels::available_isas().back()));
  // Looking at the weights comes first, as long as reading them takes.
  ByteProgress looking(env);
  std::optional<ByteProgress> writing(std::in_place, env);
  double looked_s = 0;
  const auto look = [&](int64_t done, int64_t total) {
    looking.show(done, 0, total);
    if (done < total) return;
    looking.finish();
    looked_s = looking.seconds();
    writing.emplace(env);
  };
  const convert::ConvertOptions options{
      .out = args.out,
      .overwrite = args.overwrite,
      .compress = args.compress,
      .threads = args.threads != 0 ? args.threads : machine.cores,
      .pack = table.pack,
      .progress = [&](int64_t done, int64_t kept,
                      int64_t total) { writing->show(done, kept, total); },
      .coding_progress = look};
  const auto report = TRY(convert::convert_model(
      env, {documents, *opened->files().checkpoint, opened->plan()}, options));
  if (report.already_there) {
    log_info("{}: already the pack of this model", args.out);
    return {};
  }
  writing->finish();
  print_report(looked_s, *writing, report, args.out);
  return {};
}

}  // namespace strata::apps
