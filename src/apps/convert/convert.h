// `strata convert MODEL --out FILE`: a model's folder to one file that is read as it lies.
#pragma once

#include <string>

#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct ConvertArgs {
  std::string model;
  std::string revision;
  std::string dtype = "auto";
  std::string out;
  bool overwrite = false;
  bool compress = false;
  int threads = 0;  // 0: one per core that the process may use
};

FieldList convert_fields();
Result<ConvertArgs> make_convert_args(const std::string& model, const FieldValues& values);

/// Says on stderr how far it is and what it has made.
Result<void> run_convert(Env& env, const ConvertArgs& args);

}  // namespace strata::apps
