// `strata serve` as clients meet it: over real sockets, against the real program. What a request
// asks must come out as `strata batch` answers it, whatever happens to other clients.
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>

#include "api/serve_fixture.h"

namespace strata::testing {
namespace {

// What a stream says of each answer, put together again.
struct Joined {
  std::string text;
  Json ids = Json::array();
  Json finish_reason;
  Json stop_reason;
  Json logprobs = Json::array();
};

void join_logprobs(Json& all, const Json& piece) {
  if (piece.contains("content")) {
    for (const Json& entry : piece["content"]) all.push_back(entry);
    return;
  }
  if (all.empty()) {
    all = piece;
    return;
  }
  for (const auto& [name, list] : piece.items()) {
    for (const Json& one : list) all[name].push_back(one);
  }
}

std::vector<Joined> joined(const std::vector<Json>& events, size_t answers) {
  std::vector<Joined> made(answers);
  for (const Json& event : events) {
    if (!event.is_object() || event["choices"].empty()) continue;
    const Json& choice = event["choices"][0];
    Joined& of = made.at(choice["index"].get<size_t>());
    if (choice.contains("text")) of.text += choice["text"].get<std::string>();
    if (choice.contains("delta")) of.text += choice["delta"].value("content", "");
    for (const Json& id : choice.value("token_ids", Json::array())) of.ids.push_back(id);
    if (!choice["logprobs"].is_null()) join_logprobs(of.logprobs, choice["logprobs"]);
    if (choice["finish_reason"].is_null()) continue;
    of.finish_reason = choice["finish_reason"];
    of.stop_reason = choice["stop_reason"];
  }
  return made;
}

const std::vector<std::pair<std::string, Json>>& many_requests() {
  static const std::vector<std::pair<std::string, Json>> kMade = {
      {kChat, chat_body({{"max_tokens", 20}, {"ignore_eos", true}, {"return_token_ids", true}})},
      {kChat, chat_body({{"max_completion_tokens", 12},
                         {"n", 3},
                         {"temperature", 1.2},
                         {"seed", 7},
                         {"logprobs", true},
                         {"top_logprobs", 2}})},
      {kText, text_body("Once upon a time", {{"max_tokens", 30},
                                             {"temperature", 0.9},
                                             {"seed", 5},
                                             {"stop", {"e", "zz"}},
                                             {"return_token_ids", true}})},
      {kText, text_body({"one", "two"}, {{"max_tokens", 9},
                                         {"n", 2},
                                         {"temperature", 1.0},
                                         {"seed", 3},
                                         {"logprobs", 2},
                                         {"ignore_eos", true}})},
      {kText, text_body({256, 72, 101}, {{"max_tokens", 8}, {"echo", true}, {"ignore_eos", true}})},
      {kChat, chat_body({{"max_tokens", 40},
                         {"response_format",
                          {{"type", "json_schema"},
                           {"json_schema",
                            {{"name", "x"},
                             {"schema",
                              {{"type", "object"},
                               {"properties", {{"a", {{"type", "boolean"}}}}},
                               {"required", {"a"}},
                               {"additionalProperties", false}}}}}}}})},
  };
  return kMade;
}

TEST_F(ServeCli, AnswersAsBatchDoesWholeAndStreamed) {
  const std::vector<Json> expected = batch(many_requests());
  ASSERT_EQ(expected.size(), many_requests().size());
  start_server();
  for (size_t i = 0; i < expected.size(); i++) {
    const auto& [path, body] = many_requests()[i];
    const Json whole = answer(path, body);
    EXPECT_EQ(whole["choices"], expected[i]["choices"]) << i;
    EXPECT_EQ(whole["usage"], expected[i]["usage"]) << i;
    EXPECT_EQ(whole["model"], "tiny");
    Json asked = body;
    asked["stream_options"] = {{"include_usage", true}};
    const std::vector<Json> events = stream(path, asked);
    ASSERT_GE(events.size(), 3u);
    EXPECT_TRUE(events.back().is_discarded()) << "the end mark";
    EXPECT_EQ(events[events.size() - 2]["usage"], expected[i]["usage"]) << i;
    const Json& choices = expected[i]["choices"];
    const std::vector<Joined> pieces = joined(events, choices.size());
    for (size_t c = 0; c < choices.size(); c++) {
      const Json& choice = choices[c];
      EXPECT_EQ(pieces[c].text, path == kChat ? choice["message"]["content"] : choice["text"]) << i;
      EXPECT_EQ(pieces[c].finish_reason, choice["finish_reason"]) << i;
      EXPECT_EQ(pieces[c].stop_reason, choice["stop_reason"]) << i;
      EXPECT_EQ(pieces[c].ids, choice.value("token_ids", Json::array())) << i;
      if (choice["logprobs"].is_null()) continue;
      const Json& numbers = path == kChat ? choice["logprobs"]["content"] : choice["logprobs"];
      EXPECT_EQ(pieces[c].logprobs, numbers) << i;
    }
  }
}

TEST_F(ServeCli, StreamsInOpenAiShapes) {
  start_server();
  const auto chat = stream(kChat, chat_body({{"max_tokens", 3}, {"ignore_eos", true}}));
  EXPECT_EQ(chat[0]["object"], "chat.completion.chunk");
  EXPECT_EQ(chat[0]["choices"][0]["delta"], Json::parse(R"({"role":"assistant","content":""})"));
  EXPECT_TRUE(chat[0]["choices"][0]["finish_reason"].is_null());
  EXPECT_FALSE(chat[0].contains("usage"));
  for (size_t i = 0; i + 1 < chat.size(); i++) EXPECT_EQ(chat[i]["id"], chat[0]["id"]);
  EXPECT_EQ(chat[chat.size() - 2]["choices"][0]["finish_reason"], "length");
  const auto counted =
      stream(kChat, chat_body({{"max_tokens", 3},
                               {"ignore_eos", true},
                               {"stream_options", {{"continuous_usage_stats", true}}}}));
  EXPECT_EQ(counted[0]["usage"]["completion_tokens"], 0);
  EXPECT_EQ(counted[counted.size() - 2]["usage"]["completion_tokens"], 3);
  EXPECT_EQ(answer(kChat, chat_body({{"stream_options", {{"include_usage", true}}}}),
                   400)["error"]["param"],
            "stream_options");
  EXPECT_EQ(answer(kText, text_body("a", {{"stream", true}, {"echo", true}, {"logprobs", 1}}),
                   400)["error"]["param"],
            "echo");
}

TEST_F(ServeCli, NamesWhatIsWrongWithABody) {
  start_server();
  const auto error = [&](const Json& body, int status) {
    return answer(kText, body, status)["error"];
  };
  EXPECT_EQ(error(text_body("a", {{"model", "none"}}), 404)["code"], "model_not_found");
  EXPECT_EQ(error(text_body("a", {{"suffix", "b"}}), 400)["param"], "suffix");
  EXPECT_EQ(error(text_body("a", {{"top_p", 2}}), 400)["param"], "top_p");
  EXPECT_EQ(error(text_body("a", {{"n", 0}}), 400)["param"], "n");
  EXPECT_EQ(error(text_body({256, 272}), 400)["type"], "invalid_request_error");
  const Json too_long = error(text_body("a", {{"max_tokens", 4000}}), 400);
  EXPECT_EQ(too_long["code"], "context_length_exceeded");
  EXPECT_TRUE(too_long["message"].get<std::string>().contains(
      "This model's maximum context length is 2048 tokens"));
  for (const std::string& body :
       {std::string(), std::string("null"), std::string("[]"), std::string("{\"prompt\": \"a\""),
        std::string("{\"prompt\": \"\xff\"}"), std::string("{\"n\":1,\"n\":1,\"prompt\":\"a\"}"),
        "{\"x\":" + std::string(100, '[') + std::string(100, ']') + "}"}) {
    const Answer got = ask(post(kText, body));
    EXPECT_EQ(got.status, 400) << body;
    EXPECT_EQ(parsed(got.body)["error"]["type"], "invalid_request_error") << body;
  }
  const Answer odd = ask(
      post(kText, text_body("a", {{"max_tokens", 1}, {"temprature", 1}, {"a\r\nb", 1}}).dump()));
  EXPECT_EQ(odd.status, 200);
  EXPECT_TRUE(odd.has("x-strata-ignored-fields: temprature\r\n"));
  EXPECT_EQ(answer(kText, text_body("a", {{"model", "other"}, {"max_tokens", 1}}))["model"],
            "tiny");
  expect_canary();
}

TEST_F(ServeCli, SaysWhatItIsAndWhatItServes) {
  start_server();
  EXPECT_EQ(ask(get("/livez")).status, 200);
  EXPECT_EQ(parsed(ask(get("/readyz")).body)["status"], "ready");
  EXPECT_EQ(ask(get("/health")).status, 200);
  EXPECT_EQ(parsed(ask(get("/version")).body)["version"], "0.1.0");
  const Json models = parsed(ask(get("/v1/models")).body);
  EXPECT_EQ(models["data"][0]["id"], "tiny");
  EXPECT_EQ(models["data"][1]["id"], "other");
  EXPECT_EQ(models["data"][0]["max_model_len"], 2048);
  EXPECT_EQ(parsed(ask(get("/v1/models/other")).body)["id"], "other");
  const Answer lost = ask(get("/v1/models/org/none"));
  EXPECT_EQ(lost.status, 404);
  EXPECT_EQ(parsed(lost.body)["error"]["code"], "model_not_found");
}

TEST_F(ServeCli, TurnsTextIntoTokensAndBack) {
  start_server();
  const Json made = answer("/tokenize", {{"prompt", "Hello"}});
  EXPECT_EQ(made["count"], made["tokens"].size());
  EXPECT_EQ(answer("/detokenize", {{"tokens", made["tokens"]}})["prompt"], "Hello");
  const Json chat = answer("/tokenize", chat_body());
  EXPECT_EQ(answer(kChat, chat_body({{"max_tokens", 1}}))["usage"]["prompt_tokens"], chat["count"]);
  answer("/tokenize", Json::object(), 400);
  answer("/detokenize", {{"tokens", {-1}}}, 400);
}

// More tokens than the test could ever wait for.
Json endless() {
  return text_body("a", {{"max_tokens", 2000}, {"n", 64}, {"ignore_eos", true}, {"stream", true}});
}

TEST_F(ServeCli, FreesTheBlocksOfClientsThatGo) {
  start_server({"--no-enable-prefix-caching"});
  for (const bool streamed : {true, false}) {
    Json body = endless();
    body["stream"] = streamed;
    Client client(port_);
    client.send(post(kText, body.dump()));
    if (streamed) client.read_until("data: ");
    while (stats()["running"] == 0) {
    }
    client.close();
    Json left = stats();
    while (left["running"] != 0 || left["waiting"] != 0) left = stats();
    for (const Json& group : left["groups"]) EXPECT_EQ(group["used_blocks"], 0);
    expect_canary();
  }
}

TEST_F(ServeCli, RefusesWhatCannotWait) {
  start_server({"--max-num-seqs", "1", "--max-queued-requests", "1"});
  Client running(port_), second(port_), third(port_);
  running.send(post(kText, endless().dump()));
  EXPECT_TRUE(running.read_until("data: ").contains("200 OK"));
  // One of them waits, whichever came first, and says nothing: it is no stream.
  Json whole = endless();
  whole["stream"] = false;
  second.send(post(kText, whole.dump()));
  third.send(post(kText, whole.dump()));
  while (!second.readable() && !third.readable()) std::this_thread::yield();
  const Answer refused = second.readable() ? second.read() : third.read();
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(refused.has("Retry-After: 1\r\n"));
  EXPECT_EQ(parsed(refused.body)["error"]["type"], "rate_limit_error");
  running.close();
  second.close();
  third.close();
  Json left = stats();
  while (left["running"] != 0 || left["waiting"] != 0) left = stats();
  expect_canary();
}

TEST_F(ServeCli, EndsStreamsBeforeItself) {
  start_server();
  Json body = endless();
  body["n"] = 1;
  Client client(port_), idle(port_);
  idle.send(get("/livez"));
  EXPECT_EQ(idle.read().status, 200);
  client.send(post(kText, body.dump()));
  EXPECT_TRUE(client.read_until("data: ").contains("200 OK"));
  kill(child_, SIGTERM);
  EXPECT_EQ(idle.read_all(), "");
  const std::string rest = client.read_all();
  EXPECT_TRUE(rest.contains("\"finish_reason\":\"length\""));
  EXPECT_TRUE(rest.contains("data: [DONE]\n\n"));
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(ServeCli, GivesRequestsUpAfterTheRequestTimeout) {
  start_server({"--request-timeout", "0.3"});
  Client client(port_);
  Json whole = endless();
  whole["stream"] = false;
  client.send(post(kText, whole.dump()));
  const Answer late = client.read();
  EXPECT_EQ(late.status, 504);
  const Json error = parsed(late.body)["error"];
  EXPECT_EQ(error["code"], "request_timeout");
  EXPECT_TRUE(error["message"].get<std::string>().contains("expected one within 0.3 s")) << error;
  Client stream(port_);
  stream.send(post(kText, endless().dump()));
  const std::string events = stream.read_until("--request-timeout");
  EXPECT_TRUE(events.contains("200 OK"));
  EXPECT_TRUE(events.contains("data: {\"error\":"));
  EXPECT_FALSE(events.contains("[DONE]"));
  Json left = stats();
  while (left["running"] != 0 || left["waiting"] != 0) left = stats();
  EXPECT_LT(left["tokens_out"].get<int64_t>(), 64 * 2000) << "neither ran to its end";
  expect_canary();
}

TEST_F(ServeCli, GivesStreamsUpAfterTheShutdownTimeout) {
  start_server({"--shutdown-timeout", "0"});
  Client client(port_);
  client.send(post(kText, endless().dump()));
  EXPECT_TRUE(client.read_until("data: ").contains("200 OK"));
  kill(child_, SIGTERM);
  const std::string rest = client.read_all();
  EXPECT_TRUE(rest.contains("data: {\"error\":"));
  EXPECT_FALSE(rest.contains("[DONE]"));
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(ServeCli, EndsAtOnceAtTheSecondSignal) {
  start_server({"--shutdown-timeout", "80000"});
  Client client(port_), idle(port_);
  client.send(post(kText, endless().dump()));
  EXPECT_TRUE(client.read_until("data: ").contains("200 OK"));
  kill(child_, SIGTERM);
  EXPECT_EQ(idle.read_all(), "");  // it is draining
  EXPECT_EQ(stop(SIGTERM), 128 + SIGTERM);
}

// A socket in the place of systemd's, and what came to it.
class Manager {
 public:
  explicit Manager(const std::string& path) : socket_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Manager() {
    unsetenv("NOTIFY_SOCKET");
    close(socket_);
  }
  std::string heard() const {
    std::array<char, 256> text = {};
    const ssize_t got = recv(socket_, text.data(), text.size(), MSG_DONTWAIT);
    return got < 0 ? "nothing" : std::string(text.data(), static_cast<size_t>(got));
  }

 private:
  int socket_;
};

TEST_F(ServeCli, TheServiceManagerHearsOfItsStartAndItsEnd) {
  const Manager manager(file("manager"));
  start_server();
  answer(kText, text_body("a", {{"max_tokens", 1}}));
  EXPECT_EQ(manager.heard(), "READY=1");
  EXPECT_EQ(manager.heard(), "nothing");
  EXPECT_EQ(stop(), 0);
  EXPECT_EQ(manager.heard(), "STOPPING=1");
}

TEST_F(ServeCli, AsksForKeysFromFilesAndTheEnvironment) {
  std::ofstream(file("keys")) << "from-file\n\nsecond\n";
  setenv("STRATA_API_KEY", "from-env", 1);
  start_server({"--api-key-file", file("keys")});
  unsetenv("STRATA_API_KEY");
  EXPECT_EQ(ask(get("/v1/models")).status, 401);
  EXPECT_EQ(ask(post(kText, text_body("a").dump())).status, 401);
  EXPECT_EQ(ask(post("/tokenize", text_body("a").dump())).status, 401);
  EXPECT_EQ(ask(get("/livez")).status, 200);
  EXPECT_EQ(ask(get("/readyz")).status, 200);
  for (const char* key : {"from-file", "second", "from-env"}) {
    EXPECT_EQ(ask(get("/v1/models", std::string("Authorization: Bearer ") + key + "\r\n")).status,
              200);
  }
}

TEST_F(ServeCli, LogsRequestsAndNeverPrompts) {
  start_server({"--log-format", "json"});
  answer(kText, text_body("xyzzy-secret", {{"max_tokens", 1}}));
  answer(kText, text_body("xyzzy-secret", {{"temperature", "xyzzy"}}), 400);
  EXPECT_EQ(stop(), 0);
  const std::string log = errors();
  EXPECT_FALSE(log.contains("xyzzy"));
  int requests = 0;
  for (const Json& line : read_rows(file("serveerr"))) {
    EXPECT_TRUE(line.contains("time") && line.contains("level"));
    requests += line["message"] == "request" && line["path"] == kText;
  }
  EXPECT_EQ(requests, 2);
}

TEST_F(ServeCli, StartsOnlyWhereItMayAndCan) {
  const Done open = strata({"serve", model(), "--host", "0.0.0.0"});
  EXPECT_EQ(open.exit_code, 64);
  EXPECT_TRUE(open.errors.contains("--api-key"));
  start_server();
  const Done taken = strata({"serve", model(), "--port", std::to_string(port_)});
  EXPECT_EQ(taken.exit_code, 69);
  EXPECT_TRUE(taken.errors.contains("Address already in use"));
  const Done lost = strata({"serve", file("nothing"), "--port", "0"});
  EXPECT_EQ(lost.exit_code, 66);
}

TEST_F(ServeCli, ServesAtAPathOfTheFileSystem) {
  const std::string path = file("socket");
  start_server({"--uds", path});
  Client client(path);
  client.send(post(kText, text_body("a", {{"max_tokens", 2}, {"ignore_eos", true}}).dump()));
  EXPECT_EQ(parsed(client.read().body)["usage"]["completion_tokens"], 2);
  EXPECT_EQ(stop(), 0);
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace strata::testing
