// The strict reader of a request's head: what two parties could read differently is refused, so
// that router, key check and body framing all see one request. Text in, values out; no sockets.
#pragma once

#include <expected>
#include <optional>
#include <string_view>

#include "server/http_types.h"

namespace strata::server {

/// The code of the refusal of a client that begins TLS where plain HTTP is spoken.
inline constexpr std::string_view kTlsOnPlainPort = "tls_on_plain_port";

/// What can be refused before the head is whole: a client that speaks something else, or a first
/// line that is wrong, need not be waited for.
std::optional<HttpError> check_head_start(std::string_view received, const HttpLimits& limits);

/// `head`: up to and with the empty line. Refuses folded fields, control characters, bare line
/// feeds, space before a colon, two lengths, two hosts, a length beside a transfer coding, targets
/// that are no plain path (RFC 9112, sections 2.2, 3.2, 5.1, 5.2 and 6.3).
std::expected<Head, HttpError> parse_head(std::string_view head, const HttpLimits& limits);

}  // namespace strata::server
