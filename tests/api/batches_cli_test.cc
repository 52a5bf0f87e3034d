// /v1/files and /v1/batches of the real server: rows come out as `strata batch` answers them,
// whatever happens to the server meanwhile, and each key sees what is its own.
#include <algorithm>
#include <map>
#include <set>

#include "api/serve_fixture.h"

namespace strata::testing {
namespace {

constexpr const char* kFiles = "/v1/files";
constexpr const char* kBatches = "/v1/batches";
constexpr const char* kFormType = "multipart/form-data; boundary=BB";

std::string part(const std::string& disposition, const std::string& data) {
  return "--BB\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + data + "\r\n";
}

std::string form(const std::string& rows, const std::string& filename = "rows.jsonl") {
  return part("name=\"purpose\"", "batch") +
         part("name=\"file\"; filename=\"" + filename + "\"", rows) + "--BB--\r\n";
}

std::string post_form(const std::string& body, const std::string& fields = "",
                      const std::string& type = kFormType) {
  return "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

std::string remove(const std::string& path, const std::string& fields = "") {
  return "DELETE " + path + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

Json row(const std::string& id, Json body, const std::string& url = kChat) {
  return {{"custom_id", id}, {"method", "POST"}, {"url", url}, {"body", std::move(body)}};
}

std::string lines(const std::vector<Json>& rows) {
  std::string text;
  for (const Json& one : rows) text += one.dump() + "\n";
  return text;
}

std::vector<Json> stories(int count, int tokens) {
  std::vector<Json> rows;
  for (int i = 0; i < count; i++) {
    rows.push_back(row(
        "row " + std::to_string(i),
        chat_body(
            {{"max_tokens", tokens}, {"temperature", 1.0}, {"seed", i}, {"ignore_eos", true}})));
  }
  return rows;
}

// What a row says, without what differs in every run.
std::map<std::string, Json> by_id(const std::vector<Json>& rows) {
  std::map<std::string, Json> made;
  for (const Json& one : rows) {
    const Json& body = one["response"]["body"];
    const std::string id = one["custom_id"];
    EXPECT_FALSE(made.contains(id)) << id << " twice";
    made[id] = {one["response"]["status_code"], body.value("choices", Json()),
                body.value("usage", Json()), body.value("error", Json()),
                one["error"].is_null() ? Json() : one["error"]["code"]};
  }
  return made;
}

std::vector<Json> rows_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<Json> made;
  for (std::string line; std::getline(stream, line);) made.push_back(parsed(line));
  return made;
}

class BatchesCli : public ServeCli {
 protected:
  void SetUp() override { fs::remove_all(kept()); }
  static fs::path kept() { return file("kept"); }
  void serve(std::vector<std::string> flags = {}) {
    flags.insert(flags.end(), {"--files-dir", kept()});
    start_server(std::move(flags));
  }
  Json get_json(const std::string& path, int status = 200, const std::string& fields = "") const {
    const Answer got = ask(get(path, fields));
    EXPECT_EQ(got.status, status) << got.body;
    return parsed(got.body);
  }
  std::string upload(const std::string& rows, const std::string& fields = "") const {
    const Answer got = ask(post_form(form(rows), fields));
    EXPECT_EQ(got.status, 200) << got.body;
    return parsed(got.body).value("id", "");
  }
  Json create(const std::string& input, const std::string& fields = "", int status = 200) const {
    const Json body = {{"input_file_id", input},
                       {"endpoint", kChat},
                       {"completion_window", "24h"},
                       {"metadata", {{"for", "a test"}}}};
    const Answer got = ask(post(kBatches, body.dump(), fields));
    EXPECT_EQ(got.status, status) << got.body;
    return parsed(got.body);
  }
  static std::string path_of(const Json& batch) {
    return std::string(kBatches) + "/" + batch["id"].get<std::string>();
  }
  template <class Condition>
  Json wait_for(const Json& batch, Condition condition, const std::string& fields = "") const {
    for (;;) {
      Json now = get_json(path_of(batch), 200, fields);
      if (!now.is_object() || !now.contains("status") || condition(now)) return now;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  Json wait_for_end(const Json& batch, const std::string& fields = "") const {
    static const std::set<std::string> kEnds = {"completed", "failed", "cancelled", "expired"};
    return wait_for(batch, [](const Json& now) { return kEnds.contains(now["status"]); }, fields);
  }
  using ServeCli::wait_for_end;
  std::string content(const Json& id, const std::string& fields = "") const {
    if (id.is_null()) return "";
    const Answer got = ask(get(kFiles + ("/" + id.get<std::string>()) + "/content", fields));
    EXPECT_EQ(got.status, 200);
    return got.body;
  }
  static std::map<std::string, Json> expected(const std::vector<Json>& rows) {
    std::ofstream(file("in.jsonl")) << lines(rows);
    strata({"batch", model(), file("in.jsonl"), file("out.jsonl"), "--threads", "1"});
    return by_id(read_rows(file("out.jsonl")));
  }
};

TEST_F(BatchesCli, ABatchIsAnsweredAsStrataBatchDoes) {
  std::vector<Json> rows = stories(4, 12);
  rows.push_back(row("n", chat_body({{"max_tokens", 5}, {"n", 3}, {"seed", 1}})));
  rows.push_back(row("wrong field", chat_body({{"max_tokens", -1}})));
  rows.push_back(row("streamed", chat_body({{"stream", true}})));
  rows.push_back(row("too long", chat_body({{"max_tokens", 100'000'000}})));
  const auto alone = expected(rows);
  serve();
  const std::string input = upload(lines(rows));
  const Json batch = create(input);
  EXPECT_EQ(batch["object"], "batch");
  EXPECT_EQ(batch["status"], "validating");
  EXPECT_EQ(batch["endpoint"], kChat);
  EXPECT_EQ(batch["metadata"]["for"], "a test");
  const Json ended = wait_for_end(batch);
  EXPECT_EQ(ended["status"], "completed") << ended;
  EXPECT_EQ(ended["request_counts"], parsed(R"({"total": 8, "completed": 5, "failed": 3})"));
  EXPECT_TRUE(ended["in_progress_at"].is_number() && ended["finalizing_at"].is_number() &&
              ended["completed_at"].is_number() && ended["failed_at"].is_null());
  auto answered = by_id(rows_of(content(ended["output_file_id"])));
  EXPECT_EQ(answered.size(), 5u);
  answered.merge(by_id(rows_of(content(ended["error_file_id"]))));
  EXPECT_EQ(answered, alone);
  EXPECT_EQ(content(input), lines(rows));
  const Json output = get_json(kFiles + ("/" + ended["output_file_id"].get<std::string>()));
  EXPECT_EQ(output["purpose"], "batch_output");
  EXPECT_EQ(output["bytes"], content(ended["output_file_id"]).size());
  expect_canary();
}

TEST_F(BatchesCli, AKillLosesNoRowAndRepeatsNone) {
  const std::vector<Json> rows = stories(40, 100);
  const auto alone = expected(rows);
  serve({"--max-num-seqs", "2"});
  const Json batch = create(upload(lines(rows)));
  wait_for(batch, [](const Json& now) { return now["request_counts"]["completed"] >= 3; });
  stop(SIGKILL);
  const std::string before = read_file(kept() / (batch["id"].get<std::string>() + ".output"));
  const int64_t whole = std::ranges::count(before, '\n');
  ASSERT_GE(whole, 3);
  ASSERT_LT(whole, 40) << "too fast to be killed in the midst";
  // A row that the kill cut short.
  std::ofstream(kept() / (batch["id"].get<std::string>() + ".output"), std::ios::app) << "{\"cust";
  serve();
  const Json ended = wait_for_end(batch);
  EXPECT_EQ(ended["status"], "completed") << ended;
  EXPECT_EQ(ended["request_counts"]["completed"], 40);
  const std::string after = content(ended["output_file_id"]);
  EXPECT_TRUE(after.starts_with(before)) << "rows that were answered are asked again";
  EXPECT_EQ(by_id(rows_of(after)), alone);
  EXPECT_TRUE(ended["error_file_id"].is_null());
  expect_canary();
}

TEST_F(BatchesCli, AnEndInOrderKeepsTheRestForTheNextServer) {
  serve({"--max-num-seqs", "2"});
  const Json batch = create(upload(lines(stories(40, 100))));
  wait_for(batch, [](const Json& now) { return now["request_counts"]["completed"] >= 1; });
  EXPECT_EQ(stop(), 0);
  serve();
  const Json ended = wait_for_end(batch);
  EXPECT_EQ(ended["status"], "completed") << ended;
  EXPECT_EQ(by_id(rows_of(content(ended["output_file_id"]))).size(), 40u);
}

TEST_F(BatchesCli, ACancelledBatchKeepsWhatWasAnswered) {
  serve({"--max-num-seqs", "2"});
  const std::string input = upload(lines(stories(200, 100)));
  const Json batch = create(input);
  wait_for(batch, [](const Json& now) { return now["request_counts"]["completed"] >= 2; });
  expect_canary();
  EXPECT_EQ(ask(remove(kFiles + ("/" + input))).status, 400) << "it is read";
  const Answer cancelled = ask(post(path_of(batch) + "/cancel", ""));
  EXPECT_EQ(cancelled.status, 200) << cancelled.body;
  EXPECT_EQ(parsed(cancelled.body)["status"], "cancelling");
  const Json ended = wait_for_end(batch);
  EXPECT_EQ(ended["status"], "cancelled");
  const int64_t answered = ended["request_counts"]["completed"];
  EXPECT_GE(answered, 2);
  EXPECT_EQ(std::ssize(by_id(rows_of(content(ended["output_file_id"])))), answered);
  EXPECT_EQ(ask(post(path_of(batch) + "/cancel", "")).status, 400) << "it has ended";
  EXPECT_EQ(ask(remove(kFiles + ("/" + input))).status, 200);
  EXPECT_EQ(ask(get(kFiles + ("/" + input))).status, 404);
  expect_canary();
}

TEST_F(BatchesCli, AKeySeesWhatIsItsOwn) {
  const std::string mine = "Authorization: Bearer one\r\n";
  const std::string other = "Authorization: Bearer two\r\n";
  serve({"--api-key", "one,two"});
  const std::string input = upload(lines(stories(2, 4)), mine);
  const Json batch = create(input, mine);
  const Json ended = wait_for_end(batch, mine);
  EXPECT_EQ(ended["status"], "completed") << ended;
  const std::string output = ended["output_file_id"];
  for (const std::string& id : {input, output, std::string("file-0")}) {
    const std::string path = kFiles + ("/" + id);
    const Answer missing = ask(get(kFiles + std::string("/file-1"), other));
    for (const std::string& question :
         {get(path, other), get(path + "/content", other), remove(path, other)}) {
      const Answer got = ask(question);
      EXPECT_EQ(got.status, 404);
      EXPECT_EQ(got.body, missing.body) << "what is there and what is not look alike";
    }
  }
  create(input, other, 400);
  EXPECT_EQ(ask(get(path_of(batch), other)).status, 404);
  EXPECT_EQ(ask(post(path_of(batch) + "/cancel", "", other)).status, 404);
  EXPECT_TRUE(get_json(kFiles, 200, other)["data"].empty());
  EXPECT_TRUE(get_json(kBatches, 200, other)["data"].empty());
  EXPECT_EQ(get_json(kFiles, 200, mine)["data"].size(), 2u);
  EXPECT_EQ(get_json(kFiles + std::string("?purpose=batch"), 200, mine)["data"].size(), 1u);
  EXPECT_EQ(get_json(kBatches, 200, mine)["data"].size(), 1u);
  EXPECT_EQ(ask(get(kFiles)).status, 401);
  EXPECT_EQ(ask(post_form(form("{}"))).status, 401);
}

TEST_F(BatchesCli, RefusesWhatIsNoUpload) {
  serve({"--files-max-bytes", "1MiB"});
  const std::string good = form("{}\n");
  const std::string purpose = part("name=purpose", "batch");
  const struct {
    std::string request;
    int status;
    std::string says;
  } bad[] = {
      {post_form(good, "", "application/json"), 415, "multipart/form-data"},
      {post_form(good, "", "multipart/form-data"), 400, "names no boundary"},
      {post_form(good, "", "multipart/form-data; boundary=other"), 400, "begin with its boundary"},
      {post_form(good.substr(0, good.size() - 9)), 400, "cut short"},
      {post_form(purpose + "--BB--"), 400, "file"},
      {post_form(part("name=file", "{}") + "--BB--"), 400, "purpose"},
      {post_form(part("name=purpose", "vision") + "--BB--"), 400, "vision"},
      {post_form(form(std::string((1 << 20) + 1, 'x'))), 413, "--files-max-bytes"},
      {post_form("", "Origin: http://evil.example\r\n"), 403, "other sites"},
      {"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
       "boundary=B\r\nContent-Length: 99999999999\r\n\r\n",
       413, "larger than"},
      {post("/v1/files/x/content", "{}"), 405, "GET"},
      {get("/v1/files/x/y/content"), 404, "no such route"},
      {get("/v1/files?limit=x"), 400, "limit"},
      {post(kBatches, "{}"), 400, "input_file_id"},
      {post(kBatches, R"({"input_file_id": "../../etc/passwd", "endpoint": "/v1/completions",
                          "completion_window": "24h"})"),
       400, "input_file_id"},
      {post(kBatches, R"({"input_file_id": "x", "endpoint": "/v1/embeddings",
                          "completion_window": "24h"})"),
       400, "endpoint"},
      {post(kBatches, R"({"input_file_id": "x", "endpoint": "/v1/completions",
                          "completion_window": "1h"})"),
       400, "completion_window"},
  };
  for (const auto& [request, status, says] : bad) {
    const Answer got = ask(request);
    EXPECT_EQ(got.status, status) << request.substr(0, 500) << got.body;
    EXPECT_TRUE(got.body.contains(says)) << request.substr(0, 500) << got.body;
    expect_canary();
  }
  EXPECT_TRUE(get_json(kFiles)["data"].empty());
  Client gone(port_);
  gone.send(post_form(good).substr(0, 200));
  gone.close();
  const std::string named = ask(post_form(form("{}\n", "../../x/rows.jsonl"))).body;
  EXPECT_EQ(parsed(named)["filename"], "rows.jsonl");
  EXPECT_EQ(parsed(named)["bytes"], 3);
}

TEST_F(BatchesCli, BadRowsFailTheBatchBeforeAnyIsAsked) {
  serve();
  const std::vector<Json> good = stories(1, 4);
  const std::pair<std::string, std::string> bad[] = {
      {lines(good) + "no JSON\n", "2"},
      {lines(good) + lines(good), "2"},
      {lines({row("text", text_body("a"), kText)}) + lines(good), "1"},
      {lines(good) + "\n" + lines({row("x", chat_body(), "/v1/embeddings")}), "3"},
      {"\n", "null"},
  };
  for (const auto& [rows, line] : bad) {
    const Json ended = wait_for_end(create(upload(rows)));
    EXPECT_EQ(ended["status"], "failed") << ended;
    EXPECT_EQ(ended["errors"]["data"][0]["line"].dump(), line) << ended;
    EXPECT_FALSE(ended["errors"]["data"][0]["message"].get<std::string>().empty());
    EXPECT_TRUE(ended["output_file_id"].is_null());
    expect_canary();
  }
}

TEST_F(BatchesCli, PagesThroughBatches) {
  serve();
  const std::string input = upload(lines(stories(1, 2)));
  std::set<std::string> ids;
  for (int i = 0; i < 3; i++) ids.insert(wait_for_end(create(input))["id"].get<std::string>());
  std::string after;
  bool more = true;
  while (more) {
    const Json page = get_json(kBatches + std::string("?limit=1") + after);
    ASSERT_EQ(page["data"].size(), 1u);
    const std::string id = page["last_id"];
    EXPECT_EQ(ids.erase(id), 1u);
    after = "&after=" + id;
    more = page["has_more"];
  }
  EXPECT_TRUE(ids.empty());
}

TEST_F(BatchesCli, ASecondServerSaysWhoHasTheFolder) {
  serve();
  upload("{}\n");
  const Done second =
      strata({"serve", model(), "--port", "0", "--threads", "1", "--files-dir", kept()});
  EXPECT_NE(second.exit_code, 0);
  EXPECT_TRUE(second.errors.contains("another server has this folder")) << second.errors;
  expect_canary();
}

}  // namespace
}  // namespace strata::testing
