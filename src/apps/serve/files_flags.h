// The flags that say where a server keeps files and batches, and how much. What they are kept for
// is the layer server's.
#pragma once

#include <optional>

#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"
#include "server/files/files_service.h"

namespace strata::apps {

struct FilesArgs {
  server::FilesConfig config;  // without owners
  bool named = false;          // the folder, by a flag: then it must be usable
};

FieldList files_fields();
/// Nothing where no folder is named and the environment has no home.
std::optional<FilesArgs> make_files_args(Env& env, const FieldValues& values);

}  // namespace strata::apps
