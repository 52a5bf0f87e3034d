// Answers from a server with OpenAI's API, streamed. Between the chat loop and an HTTP client.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "apps/chat/talker.h"
#include "server/client/api_client.h"

namespace strata::apps {

class RemoteTalker : public Talker {
 public:
  struct Config {
    server::ApiClient::Config client;
    std::string model = {};          // empty: the first that the server lists
    Json sampling = Json::object();  // fields of every request
  };
  /// Asks the server for its models. kUnavailable where there is none.
  static Result<std::unique_ptr<RemoteTalker>> connect(Config config);
  RemoteTalker(const RemoteTalker&) = delete;
  RemoteTalker& operator=(const RemoteTalker&) = delete;

  Result<std::string> answer(const Json& messages, const ShowText& show) override;
  const std::string& model() const { return config_.model; }

 private:
  explicit RemoteTalker(Config config)
      : config_(std::move(config)), client_(io_.get_executor(), config_.client) {}
  server::ApiAnswer run(server::ApiCall call, const server::EventSink& sink);

  Config config_;
  boost::asio::io_context io_{1};
  server::ApiClient client_;
  bool interrupted_ = false;
};

}  // namespace strata::apps
