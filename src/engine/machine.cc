// Readers of the few pseudo files that matter. A file that is missing leaves its fact unknown.
#include "engine/machine.h"

#include <fmt/core.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

namespace strata::engine {
namespace {

// Files of /proc and /sys have no size to go by: read a byte at a time until the end, or until
// `stop` appears.
std::string read_pseudo(Env& env, const std::string& path, size_t max_bytes,
                        std::string_view stop) {
  std::string text;
  const auto file = env.open_readable(path);
  if (!file) return text;
  std::byte byte{};
  while (text.size() < max_bytes && (*file)->read_at(text.size(), {&byte, 1})) {
    text += static_cast<char>(byte);
    if (!stop.empty() && text.ends_with(stop)) break;
  }
  return text;
}

// The first run of digits after `key`, or -1.
int64_t number_after(std::string_view text, std::string_view key) {
  const size_t at = text.find(key);
  if (at == std::string_view::npos) return -1;
  const size_t digits = text.find_first_of("0123456789", at + key.size());
  if (digits == std::string_view::npos) return -1;
  int64_t value = -1;
  std::from_chars(text.data() + digits, text.data() + text.size(), value);
  return value;
}

int allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

std::string cpu_name(Env& env) {
  const std::string info = read_pseudo(env, "/proc/cpuinfo", 4096, "\nstepping");
  const size_t at = info.find("model name");
  if (at == std::string::npos) return {};
  const size_t start = info.find(": ", at);
  if (start == std::string::npos) return {};
  return info.substr(start + 2, info.find('\n', start) - start - 2);
}

// The word in brackets: "always [madvise] never".
std::string huge_page_mode(Env& env) {
  const std::string text =
      read_pseudo(env, "/sys/kernel/mm/transparent_hugepage/enabled", 200, "\n");
  const size_t open = text.find('['), close = text.find(']');
  if (open == std::string::npos || close == std::string::npos) return {};
  return text.substr(open + 1, close - open - 1);
}

int numa_nodes(Env& env) {
  int nodes = 0;
  while (env.is_directory(fmt::format("/sys/devices/system/node/node{}", nodes))) nodes++;
  return std::max(1, nodes);
}

// What a cgroup says of memory: version 2 and version 1 name and place the same files differently.
struct CgroupFiles {
  std::string folder;
  const char* limit;
  const char* used;
  const char* cached;  // key in memory.stat
};

// The group that this process is in; in a container its own group is the root.
std::vector<CgroupFiles> cgroups_of_process(Env& env) {
  std::vector<CgroupFiles> found;
  const auto add = [&](const std::string& path) {
    found.push_back({"/sys/fs/cgroup" + path, "memory.max", "memory.current", "inactive_file "});
    found.push_back({"/sys/fs/cgroup/memory" + path, "memory.limit_in_bytes",
                     "memory.usage_in_bytes", "total_inactive_file "});
  };
  add("");
  std::istringstream lines(read_pseudo(env, "/proc/self/cgroup", 4096, ""));
  for (std::string line; std::getline(lines, line);) {
    const bool memory = line.starts_with("0::") || line.find(":memory:") != std::string::npos;
    const size_t path = line.find('/');
    if (memory && path != std::string::npos && path + 1 < line.size()) add(line.substr(path));
  }
  return found;
}

void read_cgroup(Env& env, MachineFacts& facts) {
  for (const CgroupFiles& files : cgroups_of_process(env)) {
    const auto number = [&](const char* name, const char* key) {
      return number_after(read_pseudo(env, join_path(files.folder, name), 4096, ""), key);
    };
    const int64_t limit = number(files.limit, "");
    if (limit < 0 || limit >= facts.memory_bytes) continue;
    // Cached files count as used although they make room on demand.
    const int64_t used = std::max<int64_t>(0, number(files.used, ""));
    const int64_t cached = std::max<int64_t>(0, number("memory.stat", files.cached));
    facts.memory_bytes = limit;
    facts.available_bytes =
        std::min(facts.available_bytes, std::max<int64_t>(0, limit - used + cached));
  }
}

void read_memory(Env& env, MachineFacts& facts) {
  const std::string info = read_pseudo(env, "/proc/meminfo", 4096, "Buffers:");
  const int64_t total_kib = number_after(info, "MemTotal:");
  const int64_t available_kib = number_after(info, "MemAvailable:");
  facts.memory_bytes = std::max<int64_t>(0, total_kib) * 1024;
  facts.available_bytes = std::max<int64_t>(0, available_kib) * 1024;
  read_cgroup(env, facts);
}

}  // namespace

MachineFacts look_at_machine(Env& env) {
  MachineFacts facts;
  facts.isas = kernels::available_isas();
  facts.cpu = cpu_name(env);
  facts.cores = allowed_cores();
  facts.numa_nodes = numa_nodes(env);
  facts.huge_pages = huge_page_mode(env);
  read_memory(env, facts);
  facts.process_bytes = resident_bytes(env);
  return facts;
}

int64_t resident_bytes(Env& env) {
  const int64_t kib = number_after(read_pseudo(env, "/proc/self/status", 4096, ""), "VmRSS:");
  return std::max<int64_t>(0, kib) * 1024;
}

}  // namespace strata::engine
