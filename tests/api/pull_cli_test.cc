// `strata pull` through the real program against a stand-in hub: what lies in the cache afterwards,
// and what a user reads when the hub, the network or an earlier run did something wrong.
#include "api/cli_fixture.h"

namespace strata::testing {
namespace {

constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";
constexpr const char* kToken = "hf_sesame";
constexpr size_t kBigBytes = 40'000'000;

class PullCli : public CliTest {
 protected:
  static void SetUpTestSuite() {
    CliTest::SetUpTestSuite();
    for (const char* variable :
         {"HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN_PATH"}) {
      unsetenv(variable);
    }
    setenv("no_proxy", "*", 1);
  }

  void SetUp() override {
    cache_ = file("hf");
    fs::remove_all(cache_);
    fs::remove(log());
    setenv("HF_HOME", cache_.c_str(), 1);
    start_hub();
  }
  void TearDown() override { stop_hub(); }

  void start_hub() {
    std::ofstream(file("nothing")).flush();
    const std::string script = environment("STRATA_SOURCE_DIR") + "/tests/api/stand_in_hub.py";
    hub_ = start({"/usr/bin/env", "python3", "-B", script, model(), log()}, file("nothing"), "hub");
    std::string line;
    while (line.find('}') == std::string::npos) {
      usleep(20'000);
      line = read_file(file("hubout"));
    }
    endpoint_ = "http://127.0.0.1:" + std::to_string(Json::parse(line)["hub"].get<int>());
    setenv("HF_ENDPOINT", endpoint_.c_str(), 1);
  }
  void stop_hub() const {
    kill(hub_, SIGTERM);
    waitpid(hub_, nullptr, 0);
  }

  static fs::path log() { return file("log"); }
  static std::vector<Json> requests() { return read_rows(log()); }
  fs::path repo(const std::string& name) const { return cache_ / "hub" / ("models--org--" + name); }
  fs::path snapshot(const std::string& name) const { return repo(name) / "snapshots" / kCommit; }
  // Of a blob that is not complete; -1 where there is none.
  int64_t incomplete_bytes(const std::string& name) const {
    if (!fs::exists(repo(name) / "blobs")) return -1;
    for (const auto& entry : fs::directory_iterator(repo(name) / "blobs")) {
      if (entry.path().extension() == ".incomplete") {
        return static_cast<int64_t>(fs::file_size(entry.path()));
      }
    }
    return -1;
  }
  // False where it never has so many.
  bool wait_for_bytes(const std::string& name, int64_t bytes) const {
    for (int i = 0; i < 1000 && incomplete_bytes(name) < bytes; i++) usleep(20'000);
    return incomplete_bytes(name) >= bytes;
  }
  // Nothing can be taken for a model: the revision does not mean a snapshot, the weights are not
  // there.
  void expect_nothing_taken(const std::string& name) const {
    EXPECT_FALSE(fs::exists(repo(name) / "refs/main"));
    EXPECT_FALSE(fs::exists(snapshot(name) / "model.safetensors"));
  }
  static Done pull(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "pull");
    return strata(arguments);
  }

  fs::path cache_;
  std::string endpoint_;
  pid_t hub_ = -1;
};

TEST_F(PullCli, FetchesWhatStrataRunsAndRunsIt) {
  const Done done = pull({"org/tiny"});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(done.out, snapshot("tiny").string() + "\n");
  EXPECT_NE(done.errors.find("left out: "), std::string::npos) << done.errors;
  for (const char* left : {"pytorch_model.bin", "onnx/model.onnx", "README.md"}) {
    EXPECT_NE(done.errors.find(left), std::string::npos) << left;
    EXPECT_FALSE(fs::exists(snapshot("tiny") / left)) << left;
  }
  EXPECT_EQ(read_file(repo("tiny") / "refs/main"), kCommit);
  const fs::path weights = snapshot("tiny") / "model.safetensors";
  ASSERT_TRUE(fs::is_symlink(weights));
  EXPECT_TRUE(fs::read_symlink(weights).string().starts_with("../../blobs/"));
  EXPECT_EQ(fs::read_symlink(weights).filename().string().size(), 64u);
  EXPECT_EQ(fs::read_symlink(snapshot("tiny") / "config.json").filename().string().size(), 40u);
  EXPECT_EQ(read_file(weights), read_file(model() / "model.safetensors"));
  EXPECT_TRUE(read_file(cache_ / "hub/CACHEDIR.TAG").starts_with("Signature: 8a477f597d28d172"));

  const std::vector<std::string> generate = {"--prompt",      "a", "--max-tokens", "2",
                                             "--temperature", "0"};
  std::vector<std::string> cached = {"generate", "org/tiny"};
  std::vector<std::string> local = {"generate", model()};
  cached.insert(cached.end(), generate.begin(), generate.end());
  local.insert(local.end(), generate.begin(), generate.end());
  const Done answer = strata(cached);
  EXPECT_EQ(answer.exit_code, 0) << answer.errors;
  EXPECT_EQ(answer.out, strata(local).out);

  const size_t before = requests().size();
  EXPECT_EQ(pull({"org/tiny"}).exit_code, 0);
  ASSERT_EQ(requests().size(), before + 1);  // the listing alone
  EXPECT_TRUE(requests().back()["path"].get<std::string>().starts_with("/api/"));
}

TEST_F(PullCli, TakesPatternsAndRevisions) {
  const Done one = pull({"org/tiny", "--include", "*.bin,onnx/*", "--revision", "v/2"});
  ASSERT_EQ(one.exit_code, 0) << one.errors;
  EXPECT_EQ(read_file(snapshot("tiny") / "onnx/model.onnx"), "onnx");
  EXPECT_EQ(fs::read_symlink(snapshot("tiny") / "onnx/model.onnx").string().substr(0, 15),
            "../../../blobs/");
  EXPECT_FALSE(fs::exists(snapshot("tiny") / "config.json"));
  EXPECT_EQ(read_file(repo("tiny") / "refs/v/2"), kCommit);
  EXPECT_FALSE(fs::exists(repo("tiny") / "refs/main"));
  EXPECT_EQ(pull({"org/tiny", "--revision", kCommit, "--exclude", "tokenizer.json"}).exit_code, 0);
  EXPECT_TRUE(fs::exists(snapshot("tiny") / "config.json"));
  EXPECT_FALSE(fs::exists(snapshot("tiny") / "tokenizer.json"));
  EXPECT_FALSE(fs::exists(repo("tiny") / "refs" / kCommit));
}

TEST_F(PullCli, OneContentUnderTwoNamesComesOnce) {
  const Done done = pull({"org/twice"});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(fs::read_symlink(snapshot("twice") / "config.json"),
            fs::read_symlink(snapshot("twice") / "tokenizer_config.json"));
}

TEST_F(PullCli, LargeFilesComeInPiecesFromTheOtherHostWithoutTheToken) {
  setenv("HF_TOKEN", kToken, 1);
  const Done done = pull({"org/big", "--jobs", "4"});
  unsetenv("HF_TOKEN");
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(fs::file_size(snapshot("big") / "model.safetensors"), kBigBytes);
  EXPECT_EQ(done.out.find(kToken), std::string::npos);
  EXPECT_EQ(done.errors.find(kToken), std::string::npos);
  int pieces = 0;
  for (const Json& request : requests()) {
    const bool cdn = request["server"] == "cdn";
    EXPECT_EQ(request["token"].is_null(), cdn) << request;
    pieces += cdn && request["range"].is_string() ? 1 : 0;
  }
  EXPECT_EQ(pieces, 5);  // of 8 MiB
}

TEST_F(PullCli, GoesOnAfterAKill) {
  std::ofstream(file("stdin")).flush();
  const pid_t child = start({binary(), "pull", "org/slow", "--jobs", "2"}, file("stdin"));
  EXPECT_TRUE(wait_for_bytes("slow", 16 << 20));
  kill(child, SIGKILL);
  finish(child);
  const int64_t kept = incomplete_bytes("slow");
  expect_nothing_taken("slow");

  // The same contents under another name, without the delay.
  fs::create_directories(repo("big") / "blobs");
  for (const auto& entry : fs::directory_iterator(repo("slow") / "blobs")) {
    fs::rename(entry.path(), repo("big") / "blobs" / entry.path().filename());
  }
  stop_hub();
  fs::remove(log());
  start_hub();
  const Done done = pull({"org/big"});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(fs::file_size(snapshot("big") / "model.safetensors"), kBigBytes);
  for (const Json& request : requests()) {
    if (!request["range"].is_string()) continue;
    const int64_t first =
        std::strtoll(request["range"].get<std::string>().c_str() + 6, nullptr, 10);
    EXPECT_GE(first, kept) << request;
  }
}

TEST_F(PullCli, SpoiltRemainsAreNotGoneOnFrom) {
  fs::create_directories(repo("tiny") / "blobs");
  ASSERT_EQ(pull({"org/tiny"}).exit_code, 0);
  const fs::path blob = fs::canonical(snapshot("tiny") / "model.safetensors");
  fs::remove(blob);
  std::ofstream(blob.string() + ".incomplete") << "spoilt";
  const Done done = pull({"org/tiny"});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_NE(done.errors.find("was spoilt"), std::string::npos) << done.errors;
  EXPECT_EQ(read_file(blob), read_file(model() / "model.safetensors"));
  EXPECT_FALSE(fs::exists(blob.string() + ".incomplete"));
}

TEST_F(PullCli, TriesAgainWhatPasses) {
  for (const std::string name : {"busy", "cut", "whole", "expired"}) {
    const Done done = pull({"org/" + name, "--jobs", "2"});
    EXPECT_EQ(done.exit_code, 0) << name << ": " << done.errors;
    EXPECT_TRUE(fs::exists(snapshot(name) / "model.safetensors")) << name;
  }
}

TEST_F(PullCli, KeepsNothingWhoseBytesAreWrong) {
  const Done wrong = pull({"org/wrong"});
  EXPECT_EQ(wrong.exit_code, 65);
  EXPECT_NE(wrong.errors.find("model.safetensors: digest"), std::string::npos) << wrong.errors;
  EXPECT_EQ(incomplete_bytes("wrong"), -1);
  expect_nothing_taken("wrong");

  const Done liar = pull({"org/liar"});
  EXPECT_EQ(liar.exit_code, 65);
  EXPECT_NE(liar.errors.find("content-range"), std::string::npos) << liar.errors;
  expect_nothing_taken("liar");

  const Done brief = pull({"org/short"});
  EXPECT_EQ(brief.exit_code, 65);
  EXPECT_NE(brief.errors.find("model.safetensors"), std::string::npos) << brief.errors;
  expect_nothing_taken("short");

  const Done escape = pull({"org/escape", "--include", "*"});
  EXPECT_EQ(escape.exit_code, 65);
  EXPECT_NE(escape.errors.find("\"../../../evil.json\""), std::string::npos) << escape.errors;
  EXPECT_FALSE(fs::exists(repo("escape")));
}

TEST_F(PullCli, NamesTheFixOfARefusal) {
  struct Case {
    std::vector<std::string> arguments;
    int exit_code;
    std::string says;
  };
  const std::vector<Case> cases = {
      {{"org/absent"}, 66, "check the name"},
      {{"org/tiny", "--revision", "v9"}, 66, "see --revision"},
      {{"org/private"}, 69, "set HF_TOKEN or give --token-file"},
      {{"org/gated"}, 69, "accept them on its page"},
      {{"org/down"}, 69, "try again in 86400 s"},
      {{"tiny"}, 64, "org/name"},
      {{"org/tiny", "--endpoint", "ftp://x"}, 64, "https://huggingface.co"},
      {{"org/tiny", "--revision", "../x"}, 64, "--revision"},
      {{"org/tiny", "--endpoint", "http://127.0.0.1:1", "--timeout", "1"}, 69, "127.0.0.1"},
  };
  for (const Case& one : cases) {
    const Done done = pull(one.arguments);
    EXPECT_EQ(done.exit_code, one.exit_code) << one.arguments[0] << ": " << done.errors;
    EXPECT_NE(done.errors.find(one.says), std::string::npos) << done.errors;
    EXPECT_EQ(done.out, "");
  }
  std::ofstream(file("token")) << kToken << "\n";
  EXPECT_EQ(pull({"org/private", "--token-file", file("token")}).exit_code, 0);
  fs::create_directories(cache_);
  fs::remove_all(repo("private"));
  fs::copy_file(file("token"), cache_ / "token");  // as the hub's login leaves it
  EXPECT_EQ(pull({"org/private"}).exit_code, 0);
  const Done clear = pull({"org/tiny", "--endpoint", "http://hub.example"});
  EXPECT_EQ(clear.exit_code, 64);
  EXPECT_NE(clear.errors.find("would cross the network readable"), std::string::npos);
}

TEST_F(PullCli, OfflineLooksAtTheCacheAlone) {
  const Done none = pull({"org/tiny", "--offline"});
  EXPECT_EQ(none.exit_code, 66);
  EXPECT_NE(none.errors.find("strata pull org/tiny"), std::string::npos) << none.errors;
  const Done run = strata({"generate", "org/tiny", "--prompt", "a"});
  EXPECT_EQ(run.exit_code, 66);
  EXPECT_NE(run.errors.find("`strata pull org/tiny`"), std::string::npos) << run.errors;
  EXPECT_FALSE(fs::exists(log()) && !requests().empty());

  ASSERT_EQ(pull({"org/tiny"}).exit_code, 0);
  const size_t before = requests().size();
  setenv("HF_HUB_OFFLINE", "1", 1);
  const Done there = pull({"org/tiny"});
  unsetenv("HF_HUB_OFFLINE");
  EXPECT_EQ(there.out, snapshot("tiny").string() + "\n") << there.errors;
  fs::remove(fs::canonical(snapshot("tiny") / "model.safetensors"));
  const Done missing = pull({"org/tiny", "--offline"});
  EXPECT_EQ(missing.exit_code, 66);
  EXPECT_NE(missing.errors.find("model.safetensors"), std::string::npos) << missing.errors;
  EXPECT_EQ(requests().size(), before);
}

TEST_F(PullCli, StopsAtCtrlCAndSaysSo) {
  std::ofstream(file("stdin")).flush();
  const pid_t child = start({binary(), "pull", "org/slow"}, file("stdin"));
  EXPECT_TRUE(wait_for_bytes("slow", 8 << 20));
  kill(child, SIGINT);
  const Done done = finish(child);
  EXPECT_EQ(done.exit_code, 130) << done.errors;
  EXPECT_GE(incomplete_bytes("slow"), 8 << 20);
}

}  // namespace
}  // namespace strata::testing
