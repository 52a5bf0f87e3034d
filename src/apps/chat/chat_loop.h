// A conversation on the terminal: lines in, answers out, history between them, and commands that
// begin with a slash. Knows not who answers.
#pragma once

#include <optional>
#include <string>

#include "apps/chat/talker.h"

namespace strata::apps {

/// Until the end of standard input or /quit. Ctrl-C stops an answer, and is a hint between answers;
/// what goes wrong with one answer is said and the conversation goes on. kCancelled after SIGTERM.
Result<void> chat_loop(Talker& talker, const std::optional<std::string>& system);

}  // namespace strata::apps
