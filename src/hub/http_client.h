// One HTTP exchange at a time over libcurl: a GET, its head, its body piece by piece. Follows no
// redirect and knows no hub: who may get a token, and what is tried again, is hub_client.h's.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace strata::hub {

struct HttpHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
  std::optional<int64_t> retry_after_s;

  /// nullptr where there is none; the last one where there are several.
  const std::string* field(std::string_view name) const;
};

struct HttpGet {
  std::string url;
  std::string token;                                   // sent as a bearer's; empty: none
  std::optional<std::pair<uint64_t, uint64_t>> range;  // first and last byte
};

/// What a failure is worth: one that may pass is tried again, after so many seconds if the server
/// says so.
struct Failure {
  Status status;
  bool may_pass = false;
  std::optional<int64_t> after_s = {};
};

template <class T>
using Attempt = std::expected<T, Failure>;

/// Gets each piece of a body with status 2xx; a failure ends the exchange and is what get()
/// returns.
using BodyTaker = std::function<Attempt<void>(const HttpHead& head, std::string_view piece)>;

struct HttpClientConfig {
  int64_t timeout_s = 30;         // to connect, and without a byte
  std::string ca_file = {};       // certificates to trust; empty: the system's
  std::function<bool()> stopped;  // ends an exchange from another thread
};

/// For one thread; connections are kept between exchanges.
class HttpClient {
 public:
  explicit HttpClient(HttpClientConfig config);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;

  /// The head of any answer, 404 too; of bodies that are no 2xx up to 64 KiB go to `error_body`. A
  /// body that ends early may pass; kCancelled where `stopped` says so.
  Attempt<HttpHead> get(const HttpGet& request, const BodyTaker& taker, std::string* error_body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strata::hub
