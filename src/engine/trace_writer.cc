// Buffering, and what a full disk does.
#include "engine/trace_writer.h"

#include "base/log.h"

namespace strata::engine {
namespace {

// A write costs a step about as much as the system takes to copy this.
constexpr size_t kPieceBytes = 256 << 10;

}  // namespace

Result<TraceWriter> TraceWriter::open(Env& env, const std::string& path,
                                      const sched::TraceHeader& header) {
  auto file = env.open_writable(path, WriteMode::kTruncate);
  if (!file) return std::unexpected(std::move(file).error().with_context("--trace-steps"));
  TraceWriter writer(std::move(*file), path);
  writer.append(to_json(header));
  return writer;
}

void TraceWriter::add(const sched::StepInput& input, const sched::StepPlan& plan,
                      const sched::StepResult& result) {
  if (!file_) return;
  steps_++;
  append(trace_step_json(input, plan, result));
  if (buffer_.size() >= kPieceBytes) flush();
}

void TraceWriter::close() {
  if (!file_) return;
  append(sched::trace_end_json(steps_));
  flush();
  if (!file_) return;
  if (const auto closed = file_->close(); !closed) stop(closed.error());
  file_.reset();
}

void TraceWriter::append(const Json& line) {
  buffer_ += line.dump();
  buffer_ += '\n';
}

void TraceWriter::flush() {
  if (const auto written = file_->write(buffer_); !written) stop(written.error());
  buffer_.clear();
}

void TraceWriter::stop(const Status& why) {
  log_warning("the trace ends before step {}: {}", steps_, why.message());
  file_.reset();
}

}  // namespace strata::engine
