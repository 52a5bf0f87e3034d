// What the service manager that started a server is told of it: systemd's protocol of sd_notify, a
// datagram to the socket that NOTIFY_SOCKET names. Where nobody asked, nobody is told.
#pragma once

#include <string_view>

#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

inline constexpr std::string_view kServiceReady = "READY=1";
inline constexpr std::string_view kServiceStopping = "STOPPING=1";

/// Sends `state`, lines of NAME=VALUE. kInvalidArgument where NOTIFY_SOCKET is no address of a
/// Unix socket, kUnavailable where nobody takes what is sent; both are worth a warning, no more.
Result<void> tell_service_manager(Env& env, std::string_view state);

}  // namespace strata::apps
