// The engine's statistics, and what only the system knows of its process: pages of files.
#include "apps/inspect_live.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "apps/live.h"
#include "base/json.h"
#include "memory/account.h"

namespace strata::apps {
namespace {

using memory::format_bytes;

void print_row(std::string_view name, const std::string& text) {
  fmt::print("{:<12} {}\n", name, text);
}

// "RssFile:     1234 kB" in /proc/PID/status; 0 where there is none.
int64_t status_bytes(const std::string& status, std::string_view name) {
  const size_t at = status.find(fmt::format("\n{}:", name));
  if (at == std::string::npos) return 0;
  const size_t digits = std::min(status.find_first_of("0123456789", at), status.size());
  int64_t kilobytes = 0;
  std::from_chars(status.data() + digits, status.data() + status.size(), kilobytes);
  return kilobytes * 1024;
}

struct Live {
  Json stats;

  int64_t number(std::string_view name) const {
    return optional_int(stats, name, 0, INT64_MAX).value_or(0).value_or(0);
  }
  double real(std::string_view name) const {
    return optional_double(stats, name).value_or(0).value_or(0);
  }
};

void print_memory(const Live& live, const std::string& status) {
  print_row("resident",
            fmt::format(
                "{}: {} of files, {} else", format_bytes(live.number("rss_bytes")),
                format_bytes(status_bytes(status, "RssFile")),
                format_bytes(status_bytes(status, "RssAnon") + status_bytes(status, "RssShmem"))));
  const Json* tags = find_member(live.stats, "memory_bytes");
  if (tags == nullptr || !tags->is_object()) return;
  int64_t charged = 0;
  std::string parts;
  for (const auto& [tag, bytes] : tags->items()) {
    const int64_t held = bytes.is_number_integer() ? bytes.get<int64_t>() : 0;
    charged += held;
    parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", tag, format_bytes(held));
  }
  print_row("charged", fmt::format("{}: {}", format_bytes(charged), parts));
}

void print_work(const Live& live) {
  print_row("running", fmt::format("{} sequences", live.number("running")));
  print_row("waiting",
            fmt::format("{}: {} for a place, {} for blocks, {} for a shared block, {} for rows",
                        live.number("waiting"), live.number("waiting_capacity"),
                        live.number("waiting_blocks"), live.number("waiting_shared_block"),
                        live.number("waiting_budget")));
  const double seconds = live.real("total_us") * 1e-6;
  print_row("steps",
            fmt::format("{} in {:.1f} s, {} requests, {} preemptions", live.number("steps"),
                        seconds, live.number("requests"), live.number("preemptions")));
  print_row("tokens",
            fmt::format(
                "{} in, {} of them from the cache, {} out, {:.1f} out/s", live.number("tokens_in"),
                live.number("prefix_hit_tokens"), live.number("tokens_out"),
                seconds > 0 ? static_cast<double>(live.number("tokens_out")) / seconds : 0));
}

}  // namespace

Result<void> run_inspect_live(Env& env, const std::string& pid, bool json) {
  const std::string text = TRY(ask_process(env, pid));
  const Live live{TRY(parse_json_object(text, "the statistics", {}))};
  if (json) {
    fmt::print("{}", text);
    return {};
  }
  const std::string status = env.read_system_file(fmt::format("/proc/{}/status", pid)).value_or("");
  print_memory(live, status);
  print_work(live);
  return {};
}

}  // namespace strata::apps
