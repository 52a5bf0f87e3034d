// Ctrl-C as a flag: the first one lets a command end cleanly, a second one ends the process at
// once.
#pragma once

namespace strata::apps {

/// Also makes a closed pipe an error of the write instead of a signal.
void watch_interrupts();
bool interrupted();

}  // namespace strata::apps
