// Names as the hub's own tools form them.
#include "checkpoint/hub_cache.h"

#include <algorithm>

namespace strata::checkpoint {
namespace {

constexpr size_t kMaxIdPartBytes = 96;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

// One part of a hub id. "--" is the cache's own separator and cannot be in a name.
bool is_id_part(std::string_view part) {
  return !part.empty() && part.size() <= kMaxIdPartBytes && part.front() != '.' &&
         part.front() != '-' && part.find("--") == std::string_view::npos &&
         part.find("..") == std::string_view::npos && std::ranges::all_of(part, is_name_char);
}

}  // namespace

bool is_hub_id(std::string_view model) {
  const size_t slash = model.find('/');
  return slash != std::string_view::npos && is_id_part(model.substr(0, slash)) &&
         is_id_part(model.substr(slash + 1));
}

std::optional<std::string> non_empty_env(Env& env, const std::string& name) {
  auto value = env.get_env(name);
  if (!value || value->empty()) return std::nullopt;
  return value;
}

// The hub's own tools expand "~" in these variables, so that settings files may hold it.
std::string expand_home(Env& env, const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  return join_path(non_empty_env(env, "HOME").value_or(""),
                   path.substr(std::min<size_t>(path.size(), 2)));
}

std::string cached_model_folder(const std::string& hub, const std::string& id) {
  std::string folder = "models--" + id;
  folder.replace(folder.find('/'), 1, "--");
  return join_path(hub, folder);
}

bool is_commit(std::string_view text) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, is_hex);
}

std::string hub_home_folder(Env& env) {
  if (const auto home = non_empty_env(env, "HF_HOME")) return expand_home(env, *home);
  if (const auto cache = non_empty_env(env, "XDG_CACHE_HOME")) {
    return join_path(expand_home(env, *cache), "huggingface");
  }
  const auto home = non_empty_env(env, "HOME");
  return home ? join_path(*home, ".cache/huggingface") : "";
}

std::string hub_cache_folder(Env& env) {
  if (const auto cache = non_empty_env(env, "HF_HUB_CACHE")) return expand_home(env, *cache);
  const std::string home = hub_home_folder(env);
  return home.empty() ? "" : join_path(home, "hub");
}

}  // namespace strata::checkpoint
