// The state folder of the XDG base directory specification, unless a flag names another one.
#include "apps/serve/files_flags.h"

#include <string>

namespace strata::apps {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "files-dir",
     .unit = "DIR",
     .help = "folder for uploaded files and batches, for this user and one server alone; default: "
             "strata/files under $XDG_STATE_HOME or ~/.local/state, made by the first upload"},
    {.name = "files-max-bytes",
     .kind = FieldKind::kSize,
     .fallback = "512MiB",
     .unit = "",
     .min = 1 << 20,
     .max = 1e15,
     .help = "largest file that may be uploaded"},
    {.name = "files-max-total",
     .kind = FieldKind::kSize,
     .fallback = "16GiB",
     .unit = "",
     .min = 1 << 20,
     .max = 1e15,
     .help = "uploads of all keys together; what batches write comes on top"},
};

std::string state_folder(Env& env) {
  const std::string state = env.get_env("XDG_STATE_HOME").value_or("");
  if (state.starts_with('/')) return state;
  const std::string home = env.get_env("HOME").value_or("");
  return home.starts_with('/') ? join_path(home, ".local/state") : "";
}

}  // namespace

FieldList files_fields() { return kFields; }

std::optional<FilesArgs> make_files_args(Env& env, const FieldValues& values) {
  FilesArgs args{.config = {.folder = values.text("files-dir")}};
  args.named = !args.config.folder.empty();
  args.config.limits.file_bytes = values.integer("files-max-bytes").value_or(0);
  args.config.limits.all_bytes = values.integer("files-max-total").value_or(0);
  if (args.named) return args;
  const std::string state = state_folder(env);
  if (state.empty()) return {};
  args.config.folder = join_path(state, "strata/files");
  return args;
}

}  // namespace strata::apps
