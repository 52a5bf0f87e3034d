// A file of prompts to a file of answers, many sequences in a batch. A bad row gets an answer that
// holds its error; all others are unaffected.
#pragma once

#include "apps/generate.h"

namespace strata::apps {

/// kInvalidData at the end where any row was bad.
Result<void> generate_rows(Env& env, const GenerateArgs& args);

}  // namespace strata::apps
