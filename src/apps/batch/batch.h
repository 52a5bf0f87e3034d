// `strata batch MODEL IN.jsonl OUT.jsonl`: a file of requests in OpenAI's batch format to a file of
// responses, many at a time. A bad row gets a row that holds its error; all others are unaffected.
#pragma once

#include <string>

#include "apps/session.h"
#include "base/config_fields.h"
#include "base/env.h"
#include "base/json.h"
#include "base/status.h"
#include "frontend/tools/dialog.h"

namespace strata::apps {

struct BatchArgs {
  SessionArgs session;
  Json sampling = Json::object();  // for bodies that leave these fields out
  std::string input;
  std::string output;
  bool input_order = true;
  bool resume = false;
  frontend::DialogChoice dialog = {};
};

FieldList batch_fields();
FieldList batch_files();
Result<BatchArgs> make_batch_args(const std::string& model, const FieldValues& values);

/// kInvalidData at the end where any row had an error.
Result<void> run_batch(Env& env, const BatchArgs& args);

}  // namespace strata::apps
