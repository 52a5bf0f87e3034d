// The file of --trace-steps: a header, then a line for every step (sched/trace.h), a last line.
// Lines are collected and written in large pieces. A trace is for looking at a run, so it never
// ends one: where the file cannot be written, a warning says so and tracing stops.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/json.h"
#include "base/status.h"
#include "sched/trace.h"

namespace strata::engine {

class TraceWriter {
 public:
  /// Truncates the file at `path`; a path that cannot be written is an error here, before a run.
  static Result<TraceWriter> open(Env& env, const std::string& path,
                                  const sched::TraceHeader& header);

  void add(const sched::StepInput& input, const sched::StepPlan& plan,
           const sched::StepResult& result);
  /// Writes the last line; nothing is added after it.
  void close();

 private:
  TraceWriter(std::unique_ptr<WritableFile> file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}
  void append(const Json& line);
  void flush();
  void stop(const Status& why);

  std::unique_ptr<WritableFile> file_;  // null once tracing has stopped
  std::string path_;
  std::string buffer_;
  int64_t steps_ = 0;
};

}  // namespace strata::engine
