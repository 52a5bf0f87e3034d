// Where the prompt comes from, how its answer is shown.
#include "apps/generate_text.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <system_error>

#include "apps/interrupt.h"
#include "base/log.h"
#include "frontend/answer.h"

namespace strata::apps {
namespace {

constexpr size_t kMaxPromptBytes = 64 << 20;

Result<void> write_stdout(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return {};
  return fail(Code::kIo, "standard output: " + std::generic_category().message(errno));
}

Result<std::string> read_stdin() {
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got == 0) return text;
    if (got < 0 && errno == EINTR && !interrupted()) continue;
    if (got < 0 && errno == EINTR) return fail(Code::kCancelled, "interrupted");
    if (got < 0)
      return fail(Code::kIo, "standard input: " + std::generic_category().message(errno));
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxPromptBytes) {
      return fail(Code::kResourceLimit, "the prompt on standard input", {},
                  fmt::format("at most {} bytes", kMaxPromptBytes));
    }
  }
}

// A line from the terminal; nullopt at its end or on Ctrl-C.
std::optional<std::string> read_line() {
  std::string line;
  for (char c = 0;;) {
    const ssize_t got = ::read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR && !interrupted()) continue;
    if (got <= 0) return line.empty() ? std::nullopt : std::optional(line);
    if (c == '\n') return line;
    line += c;
  }
}

// Generates one answer; `show` gets text as it becomes certain.
class Conversation {
 public:
  Conversation(Session& session, const GenerateArgs& args, frontend::Ask ask)
      : session_(session), args_(args), ask_(std::move(ask)) {}

  // `answer` holds the prompt and gets the rest.
  Result<void> answer(frontend::Answer& answer,
                      const std::function<Result<void>(std::string_view)>& show) {
    engine::GenerateRequest request = frontend::make_request(
        ask_, answer, session_.codec, session_.opened->defaults(), !args_.chat);
    if (ask_.echo) answer.text = TRY(session_.codec.decode(answer.prompt_ids));
    Result<void> outcome;
    const auto emit = [&](const std::string& piece) {
      if (outcome && !piece.empty()) outcome = show(piece);
    };
    const auto receive = [&](const engine::Update& update) {
      // Without a tokenizer the ids themselves are shown.
      if (update.token && !answer.has_text)
        emit(fmt::format("{}{}", answer.ids.empty() ? "" : " ", *update.token));
      emit(update.text);
      answer.receive(update);
      if (update.error) outcome = std::unexpected(*update.error);
    };
    const auto id = TRY(session_.engine->submit(std::move(request), receive));
    emit(answer.text);
    for (bool more = true, cancelled = false; more;) {
      if (!cancelled && (interrupted() || !outcome)) {
        session_.engine->cancel(id);
        cancelled = true;
      }
      more = session_.engine->step();
    }
    return outcome;
  }

 private:
  Session& session_;
  const GenerateArgs& args_;
  frontend::Ask ask_;
};

Result<Conversation> make_conversation(Session& session, const GenerateArgs& args) {
  frontend::Ask ask =
      TRY(frontend::flags_ask(args.sampling, session.codec, session.opened->defaults()));
  frontend::warn_without_effect(args.sampling, ask);
  return Conversation(session, args, std::move(ask));
}

Json message(std::string_view role, std::string_view content) {
  return {{"role", role}, {"content", content}};
}

Json first_messages(const GenerateArgs& args) {
  Json messages = Json::array();
  if (args.system) messages.push_back(message("system", *args.system));
  return messages;
}

// Files and pipes end in a newline that nobody means to be part of the prompt.
std::string without_last_newline(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<std::string> read_prompt(Env& env, const GenerateArgs& args) {
  if (args.prompt) return *args.prompt;
  if (!args.prompt_file.empty()) {
    return without_last_newline(TRY(env.read_small_file(args.prompt_file, kMaxPromptBytes)));
  }
  if (::isatty(STDIN_FILENO) == 1) {
    return fail(
        Code::kInvalidArgument, "no prompt", {}, {},
        "give --prompt TEXT, --prompt-file FILE, --prompts FILE, or text on standard input");
  }
  return without_last_newline(TRY(read_stdin()));
}

Result<std::vector<int32_t>> encode_prompt(const Session& session, const GenerateArgs& args,
                                           const std::string& prompt) {
  if (!args.chat) return session.codec.encode(prompt);
  Json messages = first_messages(args);
  messages.push_back(message("user", prompt));
  return session.codec.encode_chat(messages);
}

Result<void> answer_once(Session& session, const GenerateArgs& args, const std::string& prompt) {
  Conversation conversation = TRY(make_conversation(session, args));
  frontend::Answer answer{.prompt_ids = TRY(encode_prompt(session, args, prompt))};
  TRY(conversation.answer(answer, [&](std::string_view piece) -> Result<void> {
    return args.json ? Result<void>() : write_stdout(piece);
  }));
  if (args.json) {
    TRY(write_stdout(answer.json().dump() + "\n"));
  } else if (!answer.text.ends_with('\n')) {
    TRY(write_stdout("\n"));
  }
  if (interrupted()) return fail(Code::kCancelled, "interrupted");
  return {};
}

Result<void> converse(Session& session, const GenerateArgs& args) {
  Conversation conversation = TRY(make_conversation(session, args));
  Json messages = first_messages(args);
  log_info("type a message; Ctrl-D ends the conversation");
  for (;;) {
    fmt::print(stderr, "> ");
    std::fflush(stderr);
    const std::optional<std::string> line = read_line();
    if (!line || interrupted()) break;
    if (line->find_first_not_of(" \t") == std::string::npos) continue;
    messages.push_back(message("user", *line));
    frontend::Answer answer{.prompt_ids = TRY(session.codec.encode_chat(messages))};
    TRY(conversation.answer(answer, write_stdout));
    TRY(write_stdout("\n"));
    messages.push_back(message("assistant", answer.text));
    if (interrupted()) break;
  }
  if (interrupted()) return fail(Code::kCancelled, "interrupted");
  return {};
}

}  // namespace

Result<void> generate_text(Env& env, const GenerateArgs& args) {
  const bool given = args.prompt || !args.prompt_file.empty();
  const bool talks = args.chat && !given && !args.json && ::isatty(STDIN_FILENO) == 1;
  std::string prompt;
  if (!talks) prompt = TRY(read_prompt(env, args));
  Session session = TRY(open_session(env, args.session));
  watch_interrupts();
  return close_session(session,
                       talks ? converse(session, args) : answer_once(session, args, prompt));
}

}  // namespace strata::apps
