// Nobody who asks can hold the engine up: it only ever hands a text over, and sending has a limit.
#include "apps/live.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include "base/thread_name.h"

namespace strata::apps {
namespace {

constexpr std::chrono::milliseconds kPatience(30'000);
constexpr timeval kSendLimit = {.tv_sec = 1, .tv_usec = 0};
constexpr timeval kQuestionLimit = {.tv_sec = 1, .tv_usec = 0};
constexpr timeval kReceiveLimit = {.tv_sec = 40, .tv_usec = 0};
constexpr std::string_view kStats = "stats", kMemory = "memory ";

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

std::unexpected<Status> refused(const std::string& what) {
  return fail(Code::kIo, what, std::strerror(errno));
}

// Whoever owns the folder may answer in our name.
Result<void> check_folder(const std::string& path) {
  struct stat found = {};
  if (::lstat(path.c_str(), &found) != 0) return refused(path);
  const bool ours = S_ISDIR(found.st_mode) && found.st_uid == ::geteuid();
  if (ours && (found.st_mode & 077) == 0) return {};
  return fail(Code::kIo, path, "a file, or a folder that others may enter",
              "a folder of this user alone", "remove it, or set XDG_RUNTIME_DIR");
}

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return refused(path);
  return check_folder(path);
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(Code::kIo, path, fmt::format("{} bytes", path.size()),
                fmt::format("at most {} for a socket", sizeof(address.sun_path) - 1),
                "set XDG_RUNTIME_DIR to a shorter path");
  }
  std::ranges::copy(path, address.sun_path);
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<int> listen_at(const std::string& path) {
  const sockaddr_un address = TRY(address_of(path));
  Descriptor made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (made.get() < 0) return refused("a socket");
  ::unlink(path.c_str());  // of a process with our id that was killed
  if (::bind(made.get(), generic(address), sizeof(address)) != 0) return refused(path);
  if (::listen(made.get(), 4) != 0) return refused(path);
  return made.release();
}

std::string socket_path(Env& env, int64_t pid) {
  return join_path(live_folder(env), fmt::format("{}.sock", pid));
}

Result<int64_t> parse_pid(const std::string& text) {
  int64_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error == std::errc() && end == text.data() + text.size() && pid > 0) return pid;
  return fail(Code::kInvalidArgument, "inspect --live", fmt::format("\"{}\"", text),
              "the id of a running process", "strata inspect --live PID");
}

std::unexpected<Status> no_engine(Env& env, int64_t pid) {
  auto name = env.read_system_file(fmt::format("/proc/{}/comm", pid));
  if (!name) return fail(Code::kNotFound, fmt::format("there is no process {}", pid));
  while (name->ends_with('\n')) name->pop_back();
  if (*name != "strata") {
    return fail(Code::kNotFound, fmt::format("process {}", pid), fmt::format("\"{}\"", *name),
                "a process of strata");
  }
  return fail(Code::kNotFound, fmt::format("process {} has no engine", pid), {}, {},
              "it is still loading its model, is a command without one, or another user's");
}

Result<std::string> receive_all(int from, int64_t pid) {
  std::string text;
  char piece[4096];
  for (;;) {
    const ssize_t count = ::recv(from, piece, sizeof(piece), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return refused(fmt::format("process {}", pid));
    if (count == 0) break;
    text.append(piece, static_cast<size_t>(count));
  }
  if (!text.empty()) return text;
  return fail(Code::kBusy, fmt::format("process {} took no step", pid), {}, {},
              "it is ending, waits for input, or a step takes longer than half a minute");
}

struct Question {
  std::optional<int64_t> memory_bytes;
};

// Nothing for what is no question, or does not come in time.
std::optional<Question> read_question(int client) {
  std::string line;
  for (char piece[64]; !line.ends_with('\n');) {
    const ssize_t count = ::recv(client, piece, sizeof(piece), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || line.size() > sizeof(piece)) return std::nullopt;
    line.append(piece, static_cast<size_t>(count));
  }
  line.pop_back();
  if (line == kStats) return Question{};
  if (!line.starts_with(kMemory)) return std::nullopt;
  int64_t bytes = 0;
  const char* end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(line.data() + kMemory.size(), end, bytes);
  if (error != std::errc() || stop != end) return std::nullopt;
  return Question{bytes};
}

}  // namespace

std::string live_folder(Env& env) {
  const auto given = env.get_env("XDG_RUNTIME_DIR");
  if (given && !given->empty()) return join_path(*given, "strata");
  return fmt::format("/tmp/strata-{}", ::geteuid());
}

Result<std::unique_ptr<LiveDoor>> LiveDoor::open(Env& env, engine::LiveStats& live) {
  TRY(make_folder(live_folder(env)));
  const std::string path = socket_path(env, ::getpid());
  Descriptor wake(::eventfd(0, EFD_CLOEXEC));
  if (wake.get() < 0) return refused("an event");
  const int listener = TRY(listen_at(path));
  std::unique_ptr<LiveDoor> made(new LiveDoor(live, path, listener, wake.release()));
  try {  // std::thread throws when the system refuses one
    made->thread_ = std::thread([door = made.get()] { door->serve(); });
    name_thread(made->thread_, "strata-live");
  } catch (const std::system_error& error) {
    return fail(Code::kResourceLimit, "a thread for inspect --live", error.what());
  }
  return made;
}

LiveDoor::~LiveDoor() {
  live_.stop();
  const uint64_t one = 1;
  if (thread_.joinable() && ::write(wake_, &one, sizeof(one)) == sizeof(one)) thread_.join();
  ::unlink(path_.c_str());
  ::close(listener_);
  ::close(wake_);
}

void LiveDoor::serve() {
  for (;;) {
    pollfd waits[] = {{.fd = listener_, .events = POLLIN, .revents = 0},
                      {.fd = wake_, .events = POLLIN, .revents = 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) return;
    if (waits[1].revents != 0) return;
    if (waits[0].revents == 0) continue;
    const Descriptor client(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    if (client.get() >= 0) answer(client.get());
  }
}

void LiveDoor::answer(int client) {
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &kQuestionLimit, sizeof(kQuestionLimit));
  ::setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &kSendLimit, sizeof(kSendLimit));
  const std::optional<Question> question = read_question(client);
  if (!question) return;
  const std::string text = live_.ask(kPatience, question->memory_bytes).value_or("");
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t count = ::send(client, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    sent += static_cast<size_t>(count);
  }
}

Result<std::string> ask_process(Env& env, const std::string& pid,
                                std::optional<int64_t> memory_bytes) {
  const int64_t id = TRY(parse_pid(pid));
  const std::string path = socket_path(env, id);
  if (!env.exists(path)) return no_engine(env, id);
  TRY(check_folder(live_folder(env)));
  const sockaddr_un address = TRY(address_of(path));
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return refused("a socket");
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kReceiveLimit, sizeof(kReceiveLimit));
  if (::connect(socket.get(), generic(address), sizeof(address)) != 0) {
    if (errno != ECONNREFUSED) return refused(path);
    ::unlink(path.c_str());  // its process was killed
    return no_engine(env, id);
  }
  const std::string question =
      memory_bytes ? fmt::format("{}{}\n", kMemory, *memory_bytes) : fmt::format("{}\n", kStats);
  if (::send(socket.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0)
    return refused(path);
  return receive_all(socket.get(), id);
}

}  // namespace strata::apps
