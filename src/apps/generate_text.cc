// Where the prompt comes from, how its answer is shown.
#include "apps/generate_text.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "apps/chat/chat_loop.h"
#include "apps/chat/local_talker.h"
#include "apps/interrupt.h"
#include "apps/standard_output.h"
#include "frontend/answer.h"

namespace strata::apps {
namespace {

constexpr size_t kMaxPromptBytes = 64 << 20;

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

Json message(std::string_view role, std::string_view content) {
  return {{"role", role}, {"content", content}};
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
  Json messages = Json::array();
  if (args.system) messages.push_back(message("system", *args.system));
  messages.push_back(message("user", prompt));
  return session.codec.encode_chat(messages);
}

Result<void> answer_once(Session& session, const GenerateArgs& args, const std::string& prompt) {
  LocalTalker talker = TRY(LocalTalker::create(session, args.sampling));
  frontend::Answer answer{.prompt_ids = TRY(encode_prompt(session, args, prompt))};
  TRY(talker.complete(answer, !args.chat, [&](std::string_view piece) -> Result<void> {
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
  LocalTalker talker = TRY(LocalTalker::create(session, args.sampling));
  return chat_loop(talker, args.system);
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
