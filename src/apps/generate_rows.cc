// Rows are read as the batch has room, so a file of any length needs little memory; answers are
// written in the order of the file.
#include "apps/generate_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>

#include "apps/interrupt.h"
#include "apps/npy.h"
#include "apps/prompt_rows.h"
#include "base/log.h"
#include "frontend/answer.h"

namespace strata::apps {
namespace {

// Rows in hand; beyond, no further one is taken.
constexpr size_t kHeldRows = 8192;

// A row on its way from the file to its answer.
struct Row {
  int64_t line = 0;
  Json id;
  frontend::Answer answer;
  std::unique_ptr<NpyWriter> logits;
  std::optional<sched::RequestId> request;
  memory::Charge text;
  std::optional<Status> error;

  bool done() const { return answer.finished.has_value() || error.has_value(); }
};

class Output {
 public:
  static Result<Output> open(Env& env, const std::string& path) {
    Output output;
    if (!path.empty()) output.file_ = TRY(env.open_writable(path, WriteMode::kTruncate));
    return output;
  }
  Result<void> write(const std::string& line) {
    if (file_) return file_->write(line);
    if (std::fwrite(line.data(), 1, line.size(), stdout) == line.size()) return {};
    return fail(Code::kIo, "standard output cannot be written");
  }
  Result<void> close() {
    if (file_) return file_->close();
    if (std::fflush(stdout) == 0) return {};
    return fail(Code::kIo, "standard output cannot be written");
  }

 private:
  std::unique_ptr<WritableFile> file_;
};

Json answer_json(const Row& row) {
  if (row.error) {
    return {{"id", row.id},
            {"error",
             {{"code", code_name(row.error->code)},
              {"line", row.line},
              {"message", row.error->message()}}}};
  }
  Json made = {{"id", row.id}};
  made.update(row.answer.json());
  return made;
}

class RowsRun {
 public:
  RowsRun(Env& env, const GenerateArgs& args, Session& session, PromptReader reader, Output output)
      : env_(env),
        args_(args),
        session_(session),
        reader_(std::move(reader)),
        output_(std::move(output)) {}

  Result<void> run() {
    for (;;) {
      if (interrupted()) return stop();
      TRY(take_rows());
      const bool more = session_.engine->step();
      if (interrupted()) return stop();  // in the midst of the step, perhaps: rows may be cut short
      TRY(std::exchange(io_, {}));
      TRY(write_answers());
      if (!more && at_end_ && rows_.empty()) break;
    }
    TRY(output_.close());
    if (bad_rows_ == 0) return {};
    return fail(Code::kInvalidData, fmt::format("{} of {} rows had errors", bad_rows_, all_rows_),
                {}, {}, "see the messages above and the \"error\" of their answers");
  }

 private:
  // Twice the batch: enough that a finished sequence's place is taken in the next step. Rows that
  // have ended wait for an earlier one, and take nobody's place.
  Result<void> take_rows() {
    const int64_t wanted = 2 * session_.engine->config().max_num_seqs;
    int64_t open = std::ranges::count_if(rows_, [](const auto& row) { return !row->done(); });
    for (; open < wanted && rows_.size() < kHeldRows; open++) {
      if (!waiting_ && !at_end_) TRY(read_row());
      if (!waiting_ && at_end_) return {};
      if (waiting_ && !start(*std::exchange(waiting_, {}))) return {};
    }
    return {};
  }

  // The next row into waiting_, or the end. A bad row is answered at once.
  Result<void> read_row() {
    std::optional<AnyRow> next = TRY(reader_.next());
    if (!next) {
      at_end_ = true;
      return {};
    }
    all_rows_++;
    if (auto* bad = std::get_if<BadRow>(&*next)) {
      rows_.push_back(std::make_unique<Row>());
      rows_.back()->line = bad->line;
      rows_.back()->id = bad->id_json;
      rows_.back()->error = bad->status;
    } else {
      waiting_ = std::move(std::get<PromptRow>(*next));
    }
    return {};
  }

  // False where the engine has no room yet; the row waits on.
  bool start(PromptRow prompt) {
    auto made = std::make_unique<Row>();
    Row& row = *made;
    row.line = prompt.line;
    row.id = prompt.id_json;
    auto submitted = submit(row, prompt);
    if (!submitted && submitted.error().code == Code::kBusy && !rows_.empty()) {
      waiting_ = std::move(prompt);
      return false;
    }
    if (!submitted) {
      row.error =
          std::move(submitted).error().with_context(fmt::format("{}:{}", args_.prompts, row.line));
    }
    rows_.push_back(std::move(made));
    return true;
  }

  Result<void> submit(Row& row, const PromptRow& prompt) {
    bool chat = false;
    const model::GenerationDefaults& defaults = session_.opened->defaults();
    row.answer.prompt_ids = TRY(encode(prompt, chat));
    Json fields = args_.sampling;
    fields.update(prompt.sampling);
    const frontend::Ask ask = TRY(frontend::read_ask(fields, session_.codec, defaults));
    engine::GenerateRequest request =
        frontend::make_request(ask, row.answer, session_.codec, defaults, !chat);
    if (ask.echo) row.answer.text = TRY(session_.codec.decode(row.answer.prompt_ids));
    if (!args_.logits.empty()) {
      request.all_logits = true;
      const std::string path = join_path(args_.logits, prompt.id + ".npy");
      request.on_logits = [this, &row, path](int64_t, std::span<const float> logits) {
        if (io_) io_ = append_logits(row, path, logits);
      };
    }
    TRY(session_.engine->check(request));
    const int64_t bytes = session_.engine->held_bytes(request) + row.answer.most_bytes(request);
    row.text =
        TRY(session_.engine->text().reserve("the row", bytes, engine::Engine::own_bytes(request)));
    row.request = TRY(session_.engine->submit(
        std::move(request), [this, &row](const engine::Update& update) { receive(row, update); }));
    return {};
  }

  // The file is made with the first rows: a row that never runs leaves none.
  Result<void> append_logits(Row& row, const std::string& path, std::span<const float> logits) {
    if (!row.logits) {
      row.logits = std::make_unique<NpyWriter>(
          TRY(NpyWriter::create(env_, path, session_.opened->spec().vocab)));
    }
    return row.logits->append(logits);
  }

  Result<std::vector<int32_t>> encode(const PromptRow& prompt, bool& chat) const {
    if (const auto* ids = std::get_if<std::vector<int32_t>>(&prompt.prompt)) return *ids;
    if (const auto* text = std::get_if<std::string>(&prompt.prompt)) {
      return session_.codec.encode(*text);
    }
    chat = true;
    return session_.codec.encode_chat(std::get<Json>(prompt.prompt));
  }

  void receive(Row& row, const engine::Update& update) {
    row.answer.receive(update);
    if (update.error) {
      row.error = Status(*update.error).with_context(fmt::format("{}:{}", args_.prompts, row.line));
    }
    if (row.done() && row.logits && io_) io_ = row.logits->finish();
  }

  Result<void> write_answers() {
    while (!rows_.empty() && rows_.front()->done()) {
      const Row& row = *rows_.front();
      if (row.error) {
        bad_rows_++;
        log_line(LogLevel::kError, row.error->message());
      }
      TRY(output_.write(answer_json(row).dump(-1, ' ', false, Json::error_handler_t::replace) +
                        "\n"));
      rows_.pop_front();
    }
    return {};
  }

  // Ctrl-C: what is finished is written, what runs ends as cancelled.
  Result<void> stop() {
    for (const auto& row : rows_) {
      if (row->request && !row->done()) session_.engine->cancel(*row->request);
    }
    while (session_.engine->step()) {
    }
    TRY(write_answers());
    TRY(output_.close());
    return fail(Code::kCancelled, "interrupted");
  }

  Env& env_;
  const GenerateArgs& args_;
  Session& session_;
  PromptReader reader_;
  Output output_;
  std::optional<PromptRow> waiting_;       // read, and not yet in the engine
  std::deque<std::unique_ptr<Row>> rows_;  // in the order of the file; listeners refer to them
  Result<void> io_;                        // the first failure to write inside a callback
  bool at_end_ = false;
  int64_t all_rows_ = 0;
  int64_t bad_rows_ = 0;
};

}  // namespace

Result<void> generate_rows(Env& env, const GenerateArgs& args) {
  PromptReader reader = TRY(PromptReader::open(env, args.prompts, !args.logits.empty()));
  if (!args.logits.empty()) TRY(env.make_directories(args.logits));
  Session session = TRY(open_session(env, args.session));
  // Flags that are wrong are not every row's mistake.
  frontend::warn_without_effect(
      args.sampling,
      TRY(frontend::flags_ask(args.sampling, session.codec, session.opened->defaults())));
  // Opened late: a model that cannot be loaded must not truncate earlier answers.
  Output output = TRY(Output::open(env, args.out));
  watch_interrupts();
  RowsRun run(env, args, session, std::move(reader), std::move(output));
  auto outcome = run.run();
  log_info("{}", engine::summary(session.engine->stats()));
  return close_session(session, std::move(outcome));
}

}  // namespace strata::apps
