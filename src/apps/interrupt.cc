// The handler only sets a flag and restores the default.
#include "apps/interrupt.h"

#include <csignal>

namespace strata::apps {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

void on_interrupt(int signal_number) {
  g_interrupted = signal_number;
  std::signal(signal_number, SIG_DFL);
}

}  // namespace

void watch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;  // without SA_RESTART: a waiting read returns
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() { return g_interrupted != 0; }

bool take_interrupt() {
  if (g_interrupted != SIGINT) return false;
  g_interrupted = 0;
  watch_interrupts();
  return true;
}

}  // namespace strata::apps
