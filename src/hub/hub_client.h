// Talking to a hub: its addresses, who gets the token, redirects, what is tried again and what a
// refusal means to the user. What comes is repo.h's and download.h's to keep.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "hub/http_client.h"
#include "hub/repo.h"

namespace strata::hub {

inline constexpr std::string_view kDefaultEndpoint = "https://huggingface.co";

struct HubConfig {
  std::string endpoint{kDefaultEndpoint};  // as checked_endpoint() returns it
  std::string token;                       // empty: none
  HttpClientConfig http;
};

/// Without slashes at its end. kInvalidArgument for what is no http(s) address of a host, or would
/// send a token readable across a network.
Result<std::string> checked_endpoint(std::string url, bool has_token);

/// Waits between attempts: for half a second, then twice as long each time, or as long as the
/// server says; gives up after five failures without progress.
class Patience {
 public:
  explicit Patience(std::function<bool()> stopped) : stopped_(std::move(stopped)) {}
  /// Returns once it is time for another attempt; otherwise the failure that it was given.
  Result<void> wait(Failure failure);
  void progress() { failures_ = 0; }

 private:
  std::function<bool()> stopped_;
  int failures_ = 0;
};

/// For one thread.
class HubClient {
 public:
  explicit HubClient(const HubConfig& config) : config_(config), http_(config.http) {}

  /// What the repository holds at a branch, tag or commit.
  Result<Repo> list(const std::string& id, const std::string& revision);

  /// The address of a file at a commit.
  std::string file_url(const std::string& id, const std::string& commit,
                       const std::string& path) const;

  /// One attempt at the body behind `url`. `direct` remembers where redirects led (addresses that
  /// hold for a while); the token goes to the endpoint's own host alone.
  Attempt<void> get(const std::string& url, std::string& direct,
                    std::optional<std::pair<uint64_t, uint64_t>> range, const BodyTaker& taker);

 private:
  Attempt<void> follow(const std::string& url, std::string& direct,
                       std::optional<std::pair<uint64_t, uint64_t>> range, const BodyTaker& taker);
  Failure refused(const HttpHead& head, const std::string& body, const std::string& url) const;

  const HubConfig& config_;
  HttpClient http_;
};

}  // namespace strata::hub
