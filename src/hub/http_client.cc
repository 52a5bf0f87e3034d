// libcurl's easy interface: blocking, a handle for each client.
#include "hub/http_client.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <mutex>

#include "base/check.h"
#include "base/version.h"

namespace strata::hub {
namespace {

constexpr size_t kMaxHead = 256 << 10;
constexpr size_t kMaxErrorBody = 64 << 10;
constexpr long kBuffer = 512 << 10;

void init_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "libcurl does not start");
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::string_view(" \t\r\n").contains(text.back())) text.remove_suffix(1);
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

}  // namespace

const std::string* HttpHead::field(std::string_view name) const {
  const std::string* found = nullptr;
  for (const auto& [key, value] : fields) {
    if (key == name) found = &value;
  }
  return found;
}

struct HttpClient::State {
  HttpClientConfig config;
  CURL* easy = nullptr;
  char message[CURL_ERROR_SIZE] = "";
  // Of the exchange under way:
  HttpHead head;
  size_t head_bytes = 0;
  const BodyTaker* taker = nullptr;
  std::string* error_body = nullptr;
  std::optional<Failure> failure;

  static size_t on_head(char* data, size_t one, size_t count, void* self) {
    return static_cast<State*>(self)->take_head({data, one * count});
  }
  static size_t on_body(char* data, size_t one, size_t count, void* self) {
    return static_cast<State*>(self)->take_body({data, one * count});
  }
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    const auto& stopped = static_cast<State*>(self)->config.stopped;
    return stopped && stopped() ? 1 : 0;
  }

  size_t take_head(std::string_view line) {
    head_bytes += line.size();
    if (head_bytes > kMaxHead) return 0;
    if (line.starts_with("HTTP/")) {  // also after "100 Continue"
      head = {};
      return line.size();
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return line.size();
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    head.fields.emplace_back(std::move(name), std::string(trimmed(line.substr(colon + 1))));
    return line.size();
  }

  size_t take_body(std::string_view piece) {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    head.status = static_cast<int>(status);
    if (status < 200 || status > 299) {
      const size_t room = kMaxErrorBody - std::min(kMaxErrorBody, error_body->size());
      error_body->append(piece.substr(0, room));
      return piece.size();
    }
    auto taken = (*taker)(head, piece);
    if (taken) return piece.size();
    failure = std::move(taken).error();
    return 0;
  }

  Failure failed(CURLcode code, const std::string& url) {
    if (failure) return std::move(*failure);
    if (code == CURLE_ABORTED_BY_CALLBACK) {
      return {{Code::kCancelled, "interrupted", {}, {}, {}}, false};
    }
    const char* why = message[0] != '\0' ? message : curl_easy_strerror(code);
    const bool untrusted =
        code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
    const bool wrong = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    const char* hint = untrusted ? "certificates to trust: the system's, or SSL_CERT_FILE" : "";
    // What stands behind "?" may be a signature.
    const std::string_view shown = std::string_view(url).substr(0, url.find('?'));
    return {{Code::kUnavailable, fmt::format("{}: {}", shown, why), {}, {}, hint},
            !untrusted && !wrong};
  }
};

HttpClient::HttpClient(HttpClientConfig config) : state_(std::make_unique<State>()) {
  init_library();
  state_->config = std::move(config);
  state_->easy = curl_easy_init();
  CHECK(state_->easy != nullptr, "libcurl gives no handle");
}

HttpClient::~HttpClient() {
  if (state_) curl_easy_cleanup(state_->easy);
}

HttpClient::HttpClient(HttpClient&&) noexcept = default;

Attempt<HttpHead> HttpClient::get(const HttpGet& request, const BodyTaker& taker,
                                  std::string* error_body) {
  State& state = *state_;
  CURL* easy = state.easy;
  curl_easy_reset(easy);  // keeps connections
  state.head = {};
  state.head_bytes = 0;
  state.taker = &taker;
  state.error_body = error_body;
  state.failure.reset();
  state.message[0] = '\0';
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_USERAGENT, kProgram.data());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kBuffer);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, static_cast<long>(state.config.timeout_s));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes/s
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(state.config.timeout_s));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, state.message);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, State::on_head);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &state);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, State::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &state);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, State::on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &state);
  if (!state.config.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, state.config.ca_file.c_str());
  }
  if (!request.token.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, request.token.c_str());
  }
  std::string range;
  if (request.range) {
    range = fmt::format("{}-{}", request.range->first, request.range->second);
    curl_easy_setopt(easy, CURLOPT_RANGE, range.c_str());
  }
  const CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK) return std::unexpected(state.failed(code, request.url));
  long status = 0;
  curl_off_t after_s = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &after_s);  // also of a date
  state.head.status = static_cast<int>(status);
  if (after_s > 0) state.head.retry_after_s = after_s;
  return std::move(state.head);
}

}  // namespace strata::hub
