// Where a server is: what --url says, taken apart. Looks nothing up.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace strata::server {

struct ApiUrl {
  std::string host;  // without brackets; empty: a Unix socket
  std::string port;
  std::string socket;  // path of a Unix socket
  std::string prefix;  // of every path: "" or "/base"; routes begin with /v1
  bool tls = false;    // https

  /// For the Host field.
  std::string authority() const;
};

/// "http://host:port" or "https://host:port", with or without a path (a /v1 at its end is the
/// routes' own), or "unix:PATH". kInvalidArgument naming --url.
Result<ApiUrl> parse_api_url(std::string_view text);

}  // namespace strata::server
