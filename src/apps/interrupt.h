// Ctrl-C as a flag: the first one lets a command end cleanly, a second one ends the process at
// once.
#pragma once

namespace strata::apps {

/// Also makes a closed pipe an error of the write instead of a signal.
void watch_interrupts();
bool interrupted();
/// For programs that go on after Ctrl-C: forgets it and watches again. False where it was another
/// signal, which ends them.
bool take_interrupt();

}  // namespace strata::apps
