// Lines, then what they mean in turn: a header, steps, the last line, nothing.
#include "sim/replay_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"
#include "sched/serialize.h"
#include "sched/trace.h"

namespace strata::sim {
namespace {

constexpr size_t kReadBytes = 1 << 20;
// A step of 4,096 sequences with 4,096 blocks each.
constexpr JsonLimits kLineLimits{
    .max_bytes = size_t{256} << 20, .max_depth = 16, .max_values = size_t{32} << 20};

class Lines {
 public:
  explicit Lines(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}

  // Without its newline; nullopt at the end. A last line without one was cut.
  Result<std::optional<std::string>> next() {
    size_t end = 0;
    while ((end = buffer_.find('\n', at_)) == std::string::npos) {
      const uint64_t left = file_->size() - read_;
      if (left == 0 && at_ == buffer_.size()) return std::nullopt;
      if (left == 0) return fail(Code::kInvalidData, "the line has no end: the trace was cut");
      if (buffer_.size() - at_ > kLineLimits.max_bytes) {
        return fail(Code::kInvalidData, "the line is too long for a trace");
      }
      buffer_.erase(0, std::exchange(at_, 0));
      const size_t old = buffer_.size();
      buffer_.resize(old + std::min<uint64_t>(left, kReadBytes));
      TRY(file_->read_at(read_, std::as_writable_bytes(std::span(buffer_).subspan(old))));
      read_ += buffer_.size() - old;
    }
    std::string line = buffer_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }

 private:
  std::unique_ptr<ReadableFile> file_;
  uint64_t read_ = 0;
  std::string buffer_;
  size_t at_ = 0;
};

class FileReplay {
 public:
  FileReplay(std::string path, const ReplayPrinter& printer)
      : path_(std::move(path)), printer_(printer) {}

  Result<ReplayOutcome> run(Lines lines) {
    for (line_ = 1;; line_++) {
      const std::optional<std::string> text = TRY(at_line(lines.next()));
      if (!text) break;
      const Json json = TRY(parse_json_object(*text, where(), kLineLimits));
      TRY(at_line(take(json)));
    }
    if (ended_) return outcome_;
    return fail(Code::kInvalidData, where(), "the end of the file", "a step or the last line",
                "the trace was cut");
  }

 private:
  std::string where() const { return fmt::format("{}:{}", path_, line_); }

  template <class T>
  Result<T> at_line(Result<T> result) const {
    return in_file(where(), std::move(result));
  }

  Result<void> take(const Json& json) {
    if (ended_) return fail(Code::kInvalidData, "a line behind the last one");
    if (!replay_) {
      const sched::TraceHeader header = TRY(sched::trace_header_from_json(json));
      replay_ = TRY(sched::Replay::create(header));
      return {};
    }
    if (const auto steps = TRY(sched::trace_end_from_json(json))) {
      ended_ = true;
      if (*steps == outcome_.steps) return {};
      return fail(Code::kInvalidData, "steps", fmt::format("{}", *steps),
                  fmt::format("{}, as many as there are lines of steps", outcome_.steps));
    }
    const sched::TraceStep step = TRY(sched::trace_step_from_json(json));
    return take_step(step);
  }

  Result<void> take_step(const sched::TraceStep& step) {
    const std::optional<std::string> difference = TRY(replay_->step(step));
    outcome_.steps++;
    if (printer_.on_plan) printer_.on_plan(describe(step.plan));
    if (!difference) return {};
    outcome_.differences++;
    if (printer_.on_difference) printer_.on_difference(fmt::format("{}: {}", where(), *difference));
    return {};
  }

  std::string path_;
  const ReplayPrinter& printer_;
  std::optional<sched::Replay> replay_;
  int64_t line_ = 0;
  bool ended_ = false;
  ReplayOutcome outcome_;
};

}  // namespace

Result<ReplayOutcome> replay_file(Env& env, const std::string& path, const ReplayPrinter& printer) {
  return FileReplay(path, printer).run(Lines(TRY(env.open_readable(path))));
}

}  // namespace strata::sim
