// Redirects are followed here and not by libcurl, so that one place decides who sees the token.
#include "hub/hub_client.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "base/json.h"

namespace strata::hub {
namespace {

constexpr int kMaxRedirects = 10;
constexpr int kMaxFailures = 5;
constexpr int64_t kFirstWaitMs = 500, kLongestWaitMs = 8000;
constexpr int64_t kLongestAfterS = 300;  // a user would rather know
constexpr size_t kMaxListing = 64 << 20;

// An address taken apart by libcurl, which will also use it.
class Url {
 public:
  explicit Url(const std::string& text) : url_(curl_url()) { valid_ = set(text); }

  /// Relative ones count from here.
  bool set(const std::string& text) {
    return curl_url_set(url_.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
  }
  bool valid() const { return valid_; }
  std::string part(CURLUPart which, unsigned flags = 0) const {
    char* text = nullptr;
    if (curl_url_get(url_.get(), which, &text, flags) != CURLUE_OK) return {};
    std::string copy(text);
    curl_free(text);
    return copy;
  }
  std::string text() const { return part(CURLUPART_URL); }
  std::string scheme() const { return part(CURLUPART_SCHEME); }
  std::string host() const { return part(CURLUPART_HOST); }
  /// Equal for addresses of one server.
  std::string origin() const {
    return scheme() + "://" + host() + ":" + part(CURLUPART_PORT, CURLU_DEFAULT_PORT);
  }

 private:
  struct Free {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
  };
  std::unique_ptr<CURLU, Free> url_;
  bool valid_ = false;
};

bool is_this_machine(const std::string& host) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

// Everything but what names are made of, also "/" unless `slashes`.
std::string escaped(std::string_view text, bool slashes) {
  std::string made;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").contains(c) || (slashes && c == '/');
    made += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return made;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// What the server itself says is wrong.
std::string reason_of(const HttpHead& head, const std::string& body) {
  if (const std::string* message = head.field("x-error-message")) return *message;
  const auto document = parse_json_object(body, "answer");
  const Json* error = document ? find_member(*document, "error") : nullptr;
  return error != nullptr && error->is_string() ? error->get<std::string>() : "";
}

}  // namespace

Result<std::string> checked_endpoint(std::string url, bool has_token) {
  while (url.ends_with('/')) url.pop_back();
  const Url parsed(url);
  const bool http = parsed.valid() && parsed.scheme() == "http";
  const bool bare = parsed.part(CURLUPART_USER).empty() && parsed.part(CURLUPART_QUERY).empty();
  if (!parsed.valid() || (!http && parsed.scheme() != "https") || !bare || !url.contains("://")) {
    return fail(Code::kInvalidArgument, "--endpoint", fmt::format("\"{}\"", url),
                "an address as https://huggingface.co");
  }
  if (http && has_token && !is_this_machine(parsed.host())) {
    return fail(Code::kInvalidArgument, "--endpoint", url, "https",
                "the token would cross the network readable; use https, or unset HF_TOKEN");
  }
  return url;
}

Result<void> Patience::wait(Failure failure) {
  if (!failure.may_pass) return std::unexpected(std::move(failure.status));
  if (++failures_ >= kMaxFailures || failure.after_s.value_or(0) > kLongestAfterS) {
    Status status = std::move(failure.status);
    if (failure.after_s) status.hint = fmt::format("try again in {} s", *failure.after_s);
    if (status.hint.empty()) {
      status.hint = "what has arrived is kept: the same command goes on from there";
    }
    return std::unexpected(std::move(status));
  }
  const int64_t backoff = std::min(kLongestWaitMs, kFirstWaitMs << (failures_ - 1));
  const int64_t wait_ms = failure.after_s ? *failure.after_s * 1000 : backoff;
  constexpr int64_t kLookMs = 50;  // for an interrupt
  for (int64_t waited = 0; waited < wait_ms; waited += kLookMs) {
    if (stopped_ && stopped_()) return fail(Code::kCancelled, "interrupted");
    std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
  }
  return {};
}

Failure HubClient::refused(const HttpHead& head, const std::string& body,
                           const std::string& url) const {
  const std::string* code = head.field("x-error-code");
  const std::string kind = code != nullptr ? *code : "";
  const std::string reason = reason_of(head, body);
  Status status{Code::kUnavailable, url.substr(0, url.find('?')), {}, {}, {}};
  status.got = reason.empty() ? fmt::format("status {}", head.status)
                              : fmt::format("status {}, \"{}\"", head.status, reason);
  const std::string token_hint = "set HF_TOKEN or give --token-file; tokens are made at " +
                                 config_.endpoint + "/settings/tokens";
  if (head.status == 404) {
    status.code = Code::kNotFound;
    status.hint = kind == "RevisionNotFound" ? "no such branch, tag or commit: see --revision"
                                             : "check the name; models are org/name";
  } else if (kind == "GatedRepo") {
    status.hint =
        "this model has conditions: accept them on its page at the hub, and " + token_hint;
  } else if (head.status == 401) {
    status.hint = config_.token.empty()
                      ? "there is no such model, or it wants a token: " + token_hint
                      : "there is no such model, or the token is wrong or too old: " + token_hint;
  } else if (head.status == 403) {
    status.hint = "the token may not read this model: " + token_hint;
  }
  const bool passes = head.status == 408 || head.status == 429 || head.status >= 500;
  return {std::move(status), passes, head.retry_after_s};
}

Attempt<void> HubClient::follow(const std::string& start, std::string& direct,
                                std::optional<std::pair<uint64_t, uint64_t>> range,
                                const BodyTaker& taker) {
  const std::string home = Url(config_.endpoint).origin();
  std::string url = direct.empty() ? start : direct;
  for (int i = 0; i < kMaxRedirects; i++) {
    Url here(url);
    const bool own = here.origin() == home;
    std::string body;
    auto head = http_.get({url, own ? config_.token : "", range}, taker, &body);
    if (!head) return std::unexpected(std::move(head).error());
    if (head->status >= 200 && head->status < 300) {
      if (!own) direct = url;
      return {};
    }
    const std::string* location = head->field("location");
    if (!is_redirect(head->status) || location == nullptr) {
      return std::unexpected(refused(*head, body, url));
    }
    const std::string before = here.scheme();
    if (!here.set(*location) || (before == "https" && here.scheme() != "https")) {
      return std::unexpected(Failure{{Code::kInvalidData,
                                      url.substr(0, url.find('?')),
                                      "a redirect away from https",
                                      {},
                                      {}}});
    }
    url = here.text();
  }
  return std::unexpected(Failure{{Code::kInvalidData, start, "redirects without an end", {}, {}}});
}

Attempt<void> HubClient::get(const std::string& url, std::string& direct,
                             std::optional<std::pair<uint64_t, uint64_t>> range,
                             const BodyTaker& taker) {
  const bool remembered = !direct.empty();
  auto got = follow(url, direct, range, taker);
  if (got || !remembered || got.error().status.code == Code::kCancelled) return got;
  // Such addresses are signed for a time: the hub gives a new one.
  direct.clear();
  got.error().may_pass = got.error().may_pass || got.error().status.code == Code::kUnavailable ||
                         got.error().status.code == Code::kNotFound;
  return got;
}

std::string HubClient::file_url(const std::string& id, const std::string& commit,
                                const std::string& path) const {
  return fmt::format("{}/{}/resolve/{}/{}", config_.endpoint, id, commit, escaped(path, true));
}

Result<Repo> HubClient::list(const std::string& id, const std::string& revision) {
  const std::string url = fmt::format("{}/api/models/{}/revision/{}?blobs=true", config_.endpoint,
                                      id, escaped(revision, false));
  Patience patience(config_.http.stopped);
  for (;;) {
    std::string text, direct;
    auto got = get(url, direct, {}, [&](const HttpHead&, std::string_view piece) -> Attempt<void> {
      text += piece;
      if (text.size() <= kMaxListing) return {};
      return std::unexpected(
          Failure{{Code::kResourceLimit, id + ": list of files", "over 64 MiB", {}, {}}});
    });
    if (got) return parse_repo(text, id + ": list of files");
    TRY(patience.wait(std::move(got).error()));
  }
}

}  // namespace strata::hub
