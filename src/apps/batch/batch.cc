// Rows are read as the engine has room, so a file of any length needs little memory; each becomes a
// line of output as it ends, and lines are written in the order that was asked for.
#include "apps/batch/batch.h"

#include <fmt/core.h>

#include <deque>
#include <memory>
#include <set>

#include "apps/batch/progress.h"
#include "apps/interrupt.h"
#include "base/log.h"
#include "frontend/batch/answer_rows.h"
#include "frontend/batch/rows.h"
#include "frontend/completion.h"

namespace strata::apps {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "order",
     .kind = FieldKind::kChoice,
     .fallback = "input",
     .choices = "input|completed",
     .help = "order of the rows of OUT.jsonl: that of IN.jsonl, or as they end"},
    {.name = "resume",
     .kind = FieldKind::kSwitch,
     .help = "keep the rows that OUT.jsonl already has and go on with the others"},
};
constexpr ConfigField kFiles[] = {
    {.name = "input", .unit = "IN.jsonl", .help = "requests: custom_id, method, url, body"},
    {.name = "output", .unit = "OUT.jsonl", .help = "responses: custom_id, response, error"},
};

// Ended rows that wait for an earlier one; beyond either, no further row is taken.
constexpr size_t kHeldRows = 8192;
constexpr size_t kHeldBytes = 64 << 20;  // or a quarter of what text may take

// A row on its way from the file to its line of output.
struct Row {
  int64_t line = 0;
  Json custom_id;
  uint64_t bytes = 0;  // of the input
  std::unique_ptr<frontend::Completion> completion;
  frontend::ResponseHead head;
  std::string output;   // once it has ended
  memory::Charge held;  // of the output

  bool ended() const { return !output.empty(); }
};

// A row without room: what its body asks for is read once.
struct Waiting {
  frontend::BatchRow asked;
  std::optional<frontend::ApiRequest> request = {};
};

class BatchRun {
 public:
  BatchRun(Env& env, const BatchArgs& args, Session& session, frontend::BatchReader reader,
           frontend::EarlierAnswers earlier, std::unique_ptr<WritableFile> output)
      : env_(env),
        args_(args),
        session_(session),
        reader_(std::move(reader)),
        earlier_(std::move(earlier)),
        output_(std::move(output)),
        model_{.codec = &session.codec,
               .defaults = &session.opened->defaults(),
               .field_defaults = &args.sampling,
               .name = args.session.model,
               .any_name = true,
               .max_model_len = session.engine->config().max_model_len,
               .dialog = frontend::resolve_dialog(args.dialog, session.codec)},
        progress_(env, reader_.file_bytes()) {
    frontend::log_dialog(model_.dialog);
    const int64_t limit = session.engine->text().limit();
    if (limit > 0) most_held_ = std::min(most_held_, static_cast<size_t>(limit / 4));
  }

  Result<void> run() {
    for (;;) {
      if (interrupted()) return stop();
      TRY(take_rows());
      const bool more = session_.engine->step();
      if (interrupted()) return stop();  // in the midst of the step, perhaps: rows may be cut short
      end_rows();
      TRY(write_rows());
      progress_.show(counts_, running_);
      if (!more && at_end_ && rows_.empty()) break;
    }
    TRY(output_->close());
    progress_.finish(counts_);
    const int64_t errors = counts_.errors + earlier_.errors;
    if (errors == 0) return {};
    const int64_t rows = counts_.rows + earlier_.rows;
    return fail(Code::kInvalidData, fmt::format("{} of {} rows had errors", errors, rows), {}, {},
                "see \"error\" of their rows in the output");
  }

 private:
  // Enough that a finished sequence's place is taken in the next step.
  Result<void> take_rows() {
    const int64_t wanted = 2 * session_.engine->config().max_num_seqs;
    while (running_ < wanted && rows_.size() < kHeldRows && held_bytes_ < most_held_) {
      if (!waiting_) TRY(read_row());
      if (!waiting_ && at_end_) return {};
      if (waiting_ && !start(*waiting_)) return {};
    }
    return {};
  }

  // The next row that no earlier run has answered into waiting_, or the end. A bad row ends at
  // once.
  Result<void> read_row() {
    const uint64_t before = reader_.bytes_taken();
    std::optional<frontend::AnyBatchRow> next = TRY(reader_.next());
    if (!next) {
      at_end_ = true;
      return {};
    }
    row_bytes_ = reader_.bytes_taken() - before;
    TRY(charge_ids());
    if (auto* bad = std::get_if<frontend::BadBatchRow>(&*next)) {
      if (earlier_.bad_lines.contains(bad->line)) return {};
      Row& row = add_row(bad->line, std::move(bad->custom_id));
      end_with(row, bad->status, true);
    } else if (auto& good = std::get<frontend::BatchRow>(*next);
               earlier_.ids.contains(good.custom_id)) {
      counts_.earlier_bytes += row_bytes_;
    } else {
      waiting_ = Waiting{.asked = std::move(good)};
    }
    return {};
  }

  // Ids are all that grows with the file.
  Result<void> charge_ids() {
    constexpr int64_t kPiece = 64 << 10;
    engine::TextBudget& text = session_.engine->text();
    const int64_t bytes = reader_.id_bytes() + earlier_.bytes();
    if (bytes <= ids_bytes_) return {};
    text.keep(bytes + kPiece - ids_bytes_);
    ids_bytes_ = bytes + kPiece;
    if (text.limit() == 0 || bytes <= text.limit() / 2) return {};
    return fail(Code::kResourceLimit,
                fmt::format("the ids of {} rows", counts_.rows + earlier_.rows),
                memory::format_bytes(bytes),
                fmt::format("at most {}, half of what is set aside for text",
                            memory::format_bytes(text.limit() / 2)),
                "raise --memory, or cut the file");
  }

  // False where the engine has no room yet; the row waits on.
  bool start(Waiting& waiting) {
    auto submitted = submit(waiting);
    if (!submitted && submitted.error().code == Code::kBusy && !rows_.empty()) return false;
    const frontend::BatchRow asked = std::move(waiting.asked);
    waiting_.reset();
    Row& row = add_row(asked.line, asked.custom_id);
    if (!submitted) {
      end_with(row, submitted.error());
      return true;
    }
    row.completion = std::move(*submitted);
    const bool chat = asked.kind == frontend::ApiKind::kChat;
    row.head = {.id = frontend::random_id(chat ? "chatcmpl-" : "cmpl-"),
                .model = model_.name,
                .created_s = env_.unix_time_s()};
    running_++;
    return true;
  }

  Result<std::unique_ptr<frontend::Completion>> submit(Waiting& waiting) {
    if (!waiting.request) waiting.request = TRY(read(waiting.asked));
    return frontend::Completion::submit(*session_.engine, *waiting.request, model_);
  }

  Result<frontend::ApiRequest> read(const frontend::BatchRow& asked) {
    frontend::ApiRequest request = TRY(frontend::read_api_request(asked.kind, asked.body, model_));
    for (const std::string& name : request.ignored) {
      if (ignored_.size() < kHeldRows && ignored_.insert(name).second) {
        log_warning("{}:{}: field \"{}\" is not known and has no effect, here and in other rows",
                    args_.input, asked.line, name);
      }
    }
    return request;
  }

  Row& add_row(int64_t line, Json custom_id) {
    rows_.push_back(std::make_unique<Row>());
    Row& row = *rows_.back();
    row.line = line;
    row.custom_id = std::move(custom_id);
    row.bytes = row_bytes_;
    return row;
  }

  void end_rows() {
    for (const auto& row : rows_) {
      if (row->ended() || !row->completion->done()) continue;
      running_--;
      counts_.prompt_tokens += row->completion->prompt_tokens();
      counts_.generated_tokens += row->completion->generated_tokens();
      if (const auto& error = row->completion->error()) {
        end_with(*row, *error);
      } else if (auto body = row->completion->body(row->head, frontend::response_body)) {
        end(*row, frontend::answered_row(row->custom_id, std::move(*body)));
      } else {
        end_with(*row, body.error());
      }
      row->completion.reset();
    }
  }

  // The line stands with rows that have no id of their own: --resume must know them again.
  void end_with(Row& row, const Status& status, bool bad_row = false) {
    counts_.errors++;
    const std::string where = fmt::format("{}:{}", args_.input, row.line);
    log_line(LogLevel::kError, Status(status).with_context(where).message());
    frontend::RowFault fault{.status = status, .where = where};
    if (bad_row) fault.line = row.line;
    end(row, frontend::refused_row(row.custom_id, fault));
  }

  void end(Row& row, std::string output) {
    row.output = std::move(output);
    row.held = session_.engine->text().charge(static_cast<int64_t>(row.output.size()));
    held_bytes_ += row.output.size();
    counts_.rows++;
    counts_.done_bytes += row.bytes;
  }

  Result<void> write_rows() {
    for (auto row = rows_.begin(); row != rows_.end();) {
      if (!(*row)->ended()) {
        if (args_.input_order) break;
        ++row;
        continue;
      }
      TRY(output_->write((*row)->output));
      held_bytes_ -= (*row)->output.size();
      row = rows_.erase(row);
    }
    return {};
  }

  // Ctrl-C: what has ended stays written; what runs is given up, for --resume to ask again.
  Result<void> stop() {
    for (const auto& row : rows_) {
      if (row->completion) row->completion->cancel();
    }
    while (session_.engine->step()) {
    }
    TRY(output_->close());
    return fail(Code::kCancelled, "interrupted", {}, {},
                "the same command with --resume goes on from here");
  }

  Env& env_;
  const BatchArgs& args_;
  Session& session_;
  frontend::BatchReader reader_;
  frontend::EarlierAnswers earlier_;
  std::unique_ptr<WritableFile> output_;
  frontend::ServedModel model_;
  BatchProgress progress_;
  BatchCounts counts_;
  std::deque<std::unique_ptr<Row>> rows_;  // in the order of the file
  std::optional<Waiting> waiting_;         // read, and not yet in the engine
  std::set<std::string> ignored_;
  uint64_t row_bytes_ = 0;  // of the row read last
  size_t held_bytes_ = 0;
  int64_t ids_bytes_ = 0;
  size_t most_held_ = kHeldBytes;
  int64_t running_ = 0;
  bool at_end_ = false;
};

Result<void> check_files(Env& env, const BatchArgs& args) {
  if (!env.exists(args.output)) return {};
  if (TRY(env.canonical_path(args.input)) != TRY(env.canonical_path(args.output))) return {};
  return fail(Code::kInvalidArgument, "IN.jsonl and OUT.jsonl are one file", args.output, {},
              "name another file for the output");
}

}  // namespace

FieldList batch_fields() { return kFields; }

FieldList batch_files() { return kFiles; }

Result<BatchArgs> make_batch_args(const std::string& model, const FieldValues& values) {
  BatchArgs args;
  args.session.model = model;
  args.session.revision = values.text("revision");
  args.session.engine = TRY(engine::make_engine_config(values));
  args.session.engine.all_logits = values.given("prompt-logprobs");
  args.sampling = TRY(frontend::sampling_values(values));
  args.input = values.text("input");
  args.output = values.text("output");
  args.input_order = values.text("order") == "input";
  args.resume = values.is_on("resume");
  args.dialog = frontend::dialog_choice(values);
  return args;
}

Result<void> run_batch(Env& env, const BatchArgs& args) {
  frontend::BatchReader reader = TRY(frontend::BatchReader::open(env, args.input));
  TRY(check_files(env, args));
  frontend::EarlierAnswers earlier;
  if (args.resume) earlier = TRY(frontend::read_earlier_answers(env, args.output));
  Session session = TRY(open_session(env, args.session));
  // Flags that are wrong are not every row's mistake.
  TRY(frontend::flags_ask(args.sampling, session.codec, session.opened->defaults()));
  // Opened late: a model that cannot be loaded must not truncate earlier answers.
  if (args.resume && env.exists(args.output)) {
    TRY(env.truncate_file(args.output, earlier.whole_bytes));
    log_info("{} rows are answered already, {} of them with errors", earlier.rows, earlier.errors);
  }
  auto output =
      TRY(env.open_writable(args.output, args.resume ? WriteMode::kAppend : WriteMode::kTruncate));
  watch_interrupts();
  BatchRun run(env, args, session, std::move(reader), std::move(earlier), std::move(output));
  auto outcome = run.run();
  log_info("{}", engine::summary(session.engine->stats()));
  return close_session(session, std::move(outcome));
}

}  // namespace strata::apps
