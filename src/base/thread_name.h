// Names of threads, for top -H, gdb and perf. The main thread, which runs the engine's steps, keeps
// the program's.
#pragma once

#include <pthread.h>

#include <thread>

namespace strata {

/// `name`: at most 15 characters, or it has none.
inline void name_thread(std::thread& thread, const char* name) {
  pthread_setname_np(thread.native_handle(), name);
}

}  // namespace strata
