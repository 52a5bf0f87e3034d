// See adjust.h. The order is carried out between two steps; the statistics asked for after it are
// those of a step that has kept to it.
#include "apps/adjust/adjust.h"

#include <fmt/core.h>

#include "apps/live.h"
#include "base/json.h"
#include "memory/account.h"

namespace strata::apps {
namespace {

using memory::format_bytes;

constexpr ConfigField kFields[] = {
    {.name = "memory",
     .kind = FieldKind::kSize,
     .min = 16 << 20,
     .help = "all that the process may hold from now on: weights go to the disk and the KV pool "
             "shrinks as far as needed"},
    {.name = "json", .kind = FieldKind::kSwitch, .help = "print JSON"},
};

void print_answer(const Json& answer, int64_t resident_bytes) {
  const auto number = [&](std::string_view name) {
    return optional_int(answer, name, 0, INT64_MAX).value_or(0).value_or(0);
  };
  fmt::print("{:<12} {}\n", "ceiling", format_bytes(number("memory_bytes")));
  const std::string reason = optional_string(answer, "weights").value_or("").value_or("");
  fmt::print("{:<12} {} resident, ring {}: {}\n", "weights", format_bytes(number("resident_bytes")),
             format_bytes(number("ring_bytes")), reason);
  fmt::print("{:<12} {}\n", "KV pool", format_bytes(number("kv_bytes")));
  fmt::print("{:<12} {}\n", "resident", format_bytes(resident_bytes));
}

}  // namespace

FieldList adjust_fields() { return kFields; }

Result<void> run_adjust(Env& env, const AdjustArgs& args) {
  if (!args.memory_bytes) {
    return fail(Code::kInvalidArgument, "adjust: nothing to adjust", {}, "--memory SIZE");
  }
  const std::string text = TRY(ask_process(env, args.pid, args.memory_bytes));
  const Json answer = TRY(parse_json_object(text, "the answer", {}));
  const auto error = TRY(optional_string(answer, "error"));
  if (error) return fail(Code::kResourceLimit, fmt::format("process {}: {}", args.pid, *error));
  if (args.json) {
    fmt::print("{}", text);
    return {};
  }
  const std::string shown = TRY(ask_process(env, args.pid));
  const Json stats = TRY(parse_json_object(shown, "the statistics", {}));
  print_answer(answer, TRY(optional_int(stats, "rss_bytes", 0, INT64_MAX)).value_or(0));
  return {};
}

}  // namespace strata::apps
