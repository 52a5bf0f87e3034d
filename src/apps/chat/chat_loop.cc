// One row a command.
#include "apps/chat/chat_loop.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/interrupt.h"
#include "apps/standard_output.h"
#include "base/config_fields.h"
#include "base/log.h"

namespace strata::apps {
namespace {

constexpr std::string_view kFence = "\"\"\"";

// From standard input; nullopt at its end or on a signal.
std::optional<std::string> read_line() {
  std::string line;
  for (char c = 0;;) {
    const ssize_t got = ::read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR && !interrupted()) continue;
    if (got < 0 || (got == 0 && line.empty())) return std::nullopt;
    if (got == 0 || c == '\n') return line;
    line += c;
  }
}

Json message(std::string_view role, std::string_view content) {
  return {{"role", role}, {"content", content}};
}

class Chat {
 public:
  Chat(Talker& talker, const std::optional<std::string>& system)
      : talker_(talker), terminal_(::isatty(STDIN_FILENO) == 1) {
    if (system) set_system(*system);
  }

  Result<void> run() {
    if (terminal_) log_info("type a message; /help shows more");
    while (!ended_) {
      const std::optional<std::string> text = read_message();
      if (!text && !interrupted()) break;
      if (interrupted() && !take_interrupt()) return fail(Code::kCancelled, "interrupted");
      if (!text) {
        fmt::print(stderr, "\n");
        log_info("Ctrl-D or /quit ends the conversation");
      } else if (text->starts_with('/')) {
        TRY(command(*text));
      } else if (text->find_first_not_of(" \t\n") != std::string::npos) {
        TRY(say(*text));
      }
    }
    return {};
  }

 private:
  using Handler = Result<void> (Chat::*)(const std::string& rest);
  struct Command {
    std::string_view name;
    std::string_view rest;
    std::string_view help;
    Handler handler;
  };
  static std::span<const Command> commands();

  // A line; several between fences, or where each but the last ends in a backslash.
  std::optional<std::string> read_message() {
    std::optional<std::string> line = ask("> ");
    if (!line) return line;
    if (line->starts_with(kFence)) return read_fenced(line->substr(kFence.size()));
    while (line->ends_with('\\')) {
      line->back() = '\n';
      const auto more = ask(". ");
      if (!more) return std::nullopt;
      *line += *more;
    }
    return line;
  }
  std::optional<std::string> read_fenced(std::string text) {
    while (!text.ends_with(kFence)) {
      const auto more = ask(". ");
      if (!more) return std::nullopt;
      text += (text.empty() ? "" : "\n") + *more;
    }
    text.resize(text.size() - kFence.size());
    return text;
  }
  std::optional<std::string> ask(const char* prompt) const {
    if (terminal_) {
      fmt::print(stderr, "{}", prompt);
      std::fflush(stderr);
    }
    return read_line();
  }

  Result<void> say(const std::string& text) {
    messages_.push_back(message("user", text));
    return answer();
  }
  // Fails only where nobody sees what is written.
  Result<void> answer() {
    Result<void> written;
    const auto answered = talker_.answer(messages_, [&](std::string_view piece) {
      written = write_stdout(piece);
      return written;
    });
    TRY(std::move(written));
    TRY(write_stdout("\n"));
    if (answered) {
      messages_.push_back(message("assistant", *answered));
    } else {
      log_warning("{}", answered.error().message());
      messages_.erase(messages_.size() - 1);  // so that it may be asked again
    }
    if (interrupted() && !take_interrupt()) return fail(Code::kCancelled, "interrupted");
    return {};
  }

  Result<void> command(const std::string& line) {
    const size_t end = std::min(line.find(' '), line.size());
    const std::string name = line.substr(0, end);
    const size_t rest = std::min(line.find_first_not_of(' ', end), line.size());
    std::vector<std::string> names;
    for (const Command& one : commands()) {
      if (one.name == name) return (this->*one.handler)(line.substr(rest));
      names.emplace_back(one.name);
    }
    const std::string near = closest_word(name, names);
    log_warning("no command {}: {}", name,
                near.empty() ? "see /help" : "did you mean " + near + "?");
    return {};
  }
  Result<void> help(const std::string&) {
    for (const Command& one : commands()) {
      log_info("{:<16}{}", fmt::format("{} {}", one.name, one.rest), one.help);
    }
    log_info("A line that ends in \\ goes on in the next; {} before and behind takes any lines.",
             kFence);
    log_info("Ctrl-C stops an answer, Ctrl-D ends the conversation.");
    return {};
  }
  Result<void> forget(const std::string&) {
    const bool has_system = !messages_.empty() && messages_[0]["role"] == "system";
    const Json first = has_system ? messages_[0] : Json();
    messages_ = Json::array();
    if (has_system) messages_.push_back(first);
    log_info("a new conversation");
    return {};
  }
  Result<void> system(const std::string& text) {
    set_system(text);
    return {};
  }
  Result<void> retry(const std::string&) {
    if (messages_.empty() || messages_.back()["role"] != "assistant") {
      log_warning("there is no answer yet");
      return {};
    }
    messages_.erase(messages_.size() - 1);
    return answer();
  }
  Result<void> quit(const std::string&) {
    ended_ = true;
    return {};
  }

  void set_system(const std::string& text) {
    if (!messages_.empty() && messages_[0]["role"] == "system") messages_.erase(messages_.begin());
    if (!text.empty()) messages_.insert(messages_.begin(), message("system", text));
  }

  Talker& talker_;
  const bool terminal_;
  Json messages_ = Json::array();
  bool ended_ = false;
};

std::span<const Chat::Command> Chat::commands() {
  static constexpr Command kCommands[] = {
      {"/help", "", "show this", &Chat::help},
      {"/new", "", "forget the conversation", &Chat::forget},
      {"/retry", "", "answer the last message again", &Chat::retry},
      {"/system", "TEXT", "how the model shall be, from now on; nothing: as it likes",
       &Chat::system},
      {"/quit", "", "end", &Chat::quit},
  };
  return kCommands;
}

}  // namespace

Result<void> chat_loop(Talker& talker, const std::optional<std::string>& system) {
  Chat chat(talker, system);
  return chat.run();
}

}  // namespace strata::apps
