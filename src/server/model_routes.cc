// Whether the server lives, whether it is ready, which model it serves.
#include <algorithm>
#include <utility>

#include "base/version.h"
#include "server/api_routes.h"

namespace strata::server {
namespace {

Json model_json(const ApiService& api, const std::string& name) {
  const Served* served = api.served();
  return {{"id", name},
          {"object", "model"},
          {"created", api.created_s()},
          {"owned_by", "strata"},
          {"root", api.names().front()},
          {"parent", nullptr},
          {"max_model_len", served == nullptr ? Json() : Json(served->model.max_model_len)},
          {"permission", Json::array()}};
}

Reply readiness(const ApiService& api) {
  const Served* served = api.served();
  const bool stalled = served != nullptr && served->door.stalled();
  if (served != nullptr && !stalled) return json_reply({{"status", "ready"}});
  Json body = {{"status", stalled ? "stalled" : api.draining() ? "draining" : "loading"}};
  if (!stalled && !api.draining()) body["progress"] = api.progress();
  Reply reply = json_reply(body, 503);
  reply.fields.push_back({"Retry-After", "1"});
  return reply;
}

Reply model_list(const ApiService& api) {
  Json data = Json::array();
  for (const std::string& name : api.names()) data.push_back(model_json(api, name));
  return json_reply({{"object", "list"}, {"data", std::move(data)}});
}

Reply one_model(const ApiService& api, const std::string& name) {
  if (std::ranges::find(api.names(), name) != api.names().end()) {
    return json_reply(model_json(api, name));
  }
  constexpr size_t kShown = 128;
  return status_reply({Code::kNotFound,
                       "model",
                       json_excerpt(name.substr(0, kShown)),
                       json_excerpt(api.names().front()),
                       {}});
}

}  // namespace

asio::awaitable<void> livez(Service&, Exchange& exchange) {
  Reply reply = json_reply({{"status", "alive"}});
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> readyz(Service& service, Exchange& exchange) {
  Reply reply = readiness(static_cast<const ApiService&>(service));
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> version(Service&, Exchange& exchange) {
  Reply reply = json_reply({{"version", kProgram.substr(kProgram.find(' ') + 1)}});
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> list_models(Service& service, Exchange& exchange) {
  Reply reply = model_list(static_cast<const ApiService&>(service));
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> show_model(Service& service, Exchange& exchange) {
  Reply reply = one_model(static_cast<const ApiService&>(service), exchange.id());
  co_await exchange.reply(std::move(reply));
}

}  // namespace strata::server
