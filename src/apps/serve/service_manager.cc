// One datagram without waiting: a manager that does not read holds up no server.
#include "apps/serve/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

namespace strata::apps {
namespace {

constexpr const char* kVariable = "NOTIFY_SOCKET";

}  // namespace

Result<void> tell_service_manager(Env& env, std::string_view state) {
  const std::string path = env.get_env(kVariable).value_or("");
  if (path.empty()) return {};
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if ((path.front() != '/' && path.front() != '@') || path.size() >= sizeof(address.sun_path)) {
    return fail(Code::kInvalidArgument, kVariable, path,
                "the path of a Unix socket, or @ and an abstract name");
  }
  std::ranges::copy(path, address.sun_path);
  if (path.front() == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const int sender = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const ssize_t sent = ::sendto(sender, state.data(), state.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), length);
  const int error = errno;
  if (sender >= 0) ::close(sender);
  if (sent == static_cast<ssize_t>(state.size())) return {};
  return fail(Code::kUnavailable, "cannot tell the service manager at " + path,
              std::strerror(error), {}, "unset NOTIFY_SOCKET where no manager asks for it");
}

}  // namespace strata::apps
