// Sends what a plan says and measures what comes back, token by token. Between the plan and the
// report; one thread, a connection for each request that is under way.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apps/bench/serve/load_plan.h"
#include "server/client/api_client.h"

namespace strata::apps {

struct LoadTarget {
  server::ApiClient::Config client;
  bool chat = false;        // messages to /v1/chat/completions; else a text to /v1/completions
  std::string model = {};   // empty: the first that the server lists
  bool ignore_eos = true;   // answers of made-up prompts get as long as they may
  int64_t concurrency = 0;  // requests at once; 0: whenever the plan says
};

/// Times in seconds since the start of the run.
struct RequestOutcome {
  std::string error = {};  // empty: it was answered; else a kind: "http 429", "timeout"
  std::string detail = {};
  double delay_s = 0;  // of its start, behind the plan's; 0 without a rate
  double start_s = 0;
  double first_s = 0;  // first token
  double last_s = 0;
  double end_s = 0;
  std::vector<double> gaps_s = {};  // between arrivals of events with text
  int64_t prompt_tokens = 0;
  int64_t answer_tokens = 0;

  bool good() const { return error.empty(); }
  double ttft_s() const { return first_s - start_s; }
  double whole_s() const { return last_s - start_s; }
  double per_token_s() const {
    return (last_s - first_s) / static_cast<double>(std::max<int64_t>(1, answer_tokens - 1));
  }
};

struct LoadRun {
  std::string model;
  std::vector<RequestOutcome> outcomes;  // of requests that were sent, as they ended
  double duration_s = 0;
  int64_t most_at_once = 0;
  bool interrupted = false;
};

/// Ctrl-C ends it early, with what there is. Fails where the server cannot be asked which model it
/// has, or how long prompts get. `progress` hears of each answer.
Result<LoadRun> run_load(const LoadTarget& target, const std::vector<PlannedRequest>& plan,
                         const std::function<void(size_t ended)>& progress);

}  // namespace strata::apps
