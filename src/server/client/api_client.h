// One connection to a server with OpenAI's API: a request out, its answer in, whole or event by
// event. Between commands that talk to servers and a link; it knows HTTP and no route.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "server/client/api_url.h"
#include "server/client/sse_reader.h"
#include "server/link.h"

namespace strata::server {

/// What a call may come to, beside an answer.
enum class CallFault : uint8_t { kNone, kConnect, kTimeout, kClosed, kProtocol };
/// "connect", "timeout", "closed", "protocol".
std::string_view fault_name(CallFault fault);

struct ApiCall {
  std::string method = "GET";
  std::string path;  // "/v1/models"
  std::string body = {};
};

struct ApiAnswer {
  CallFault fault = CallFault::kNone;
  std::string detail = {};  // of a fault, for people
  int status = 0;           // 0: there is no answer
  std::string body = {};    // where it is no stream of events
};

/// All calls come from its executor, a strand or a context with one thread; one at a time.
class ApiClient {
 public:
  struct Config {
    ApiUrl url;
    std::string key = {};                         // empty: none is sent
    std::shared_ptr<const TlsContext> tls = {};   // for a URL with https
    std::chrono::milliseconds patience{600'000};  // without a byte
  };
  /// `config` must outlive it.
  ApiClient(asio::any_io_executor executor, const Config& config);

  /// Connects where it has to. Events go to `sink`, which must live until this ends.
  asio::awaitable<ApiAnswer> call(ApiCall call, const EventSink& sink);
  /// The call under way ends with kClosed.
  void stop();

 private:
  asio::awaitable<ApiAnswer> attempt(const std::string& text, const EventSink& sink);
  asio::awaitable<std::string> connect();
  asio::awaitable<std::string> secure();
  asio::awaitable<ApiAnswer> read(const EventSink& sink);
  std::string text_of(const ApiCall& call) const;

  const asio::any_io_executor executor_;
  const Config& config_;
  std::shared_ptr<Link> link_;  // null: not connected
  bool stopped_ = false;
};

}  // namespace strata::server
