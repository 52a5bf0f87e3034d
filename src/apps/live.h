// A running engine seen from another process: a socket named after the process id, in a folder that
// only its user may enter. Whoever connects sends a line, "stats" or "memory BYTES", and gets JSON.
// Both sides of it. Between a command's engine and `strata inspect --live PID`, `strata adjust
// PID`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/env.h"
#include "base/status.h"
#include "engine/live_stats.h"

namespace strata::apps {

/// The engine's side: a thread that sleeps until somebody connects. The socket goes with it.
class LiveDoor {
 public:
  /// `live` must outlive it. Fails where there is no folder for sockets, or not ours alone.
  static Result<std::unique_ptr<LiveDoor>> open(Env& env, engine::LiveStats& live);
  LiveDoor(const LiveDoor&) = delete;
  LiveDoor& operator=(const LiveDoor&) = delete;
  ~LiveDoor();

 private:
  LiveDoor(engine::LiveStats& live, std::string path, int listener, int wake)
      : live_(live), path_(std::move(path)), listener_(listener), wake_(wake) {}
  void serve();
  void answer(int client);

  engine::LiveStats& live_;
  std::string path_;
  int listener_;
  int wake_;  // readable once this ends
  std::thread thread_;
};

/// Where the sockets of this user's processes are: $XDG_RUNTIME_DIR/strata, or strata-UID in /tmp.
std::string live_folder(Env& env);

/// What process `pid` answers as JSON after its next step: its statistics, or with `memory_bytes`
/// what became of the wish for that ceiling. kInvalidArgument for what is no id; kNotFound where
/// there is no such process, or none of strata's with an engine; kBusy where it ends no step within
/// half a minute.
Result<std::string> ask_process(Env& env, const std::string& pid,
                                std::optional<int64_t> memory_bytes = {});

}  // namespace strata::apps
