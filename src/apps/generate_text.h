// One prompt, or a conversation on a terminal: text is streamed to standard output as it becomes
// certain.
#pragma once

#include "apps/generate.h"

namespace strata::apps {

Result<void> generate_text(Env& env, const GenerateArgs& args);

}  // namespace strata::apps
