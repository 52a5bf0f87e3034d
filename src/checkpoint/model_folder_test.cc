// Names to folders (paths, a local hub cache), which files a folder may reach, and its documents.
#include "checkpoint/model_folder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault_env.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/hub_cache.h"
#include "checkpoint/test_folder.h"

namespace strata::checkpoint {
namespace {

Result<ModelDocuments> read_model_documents(Env& env, const ModelSource& source) {
  return make_model_documents(TRY(read_document_files(env, source)));
}

constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";

template <class T>
std::string failure(const Result<T>& result) {
  return result ? "no failure" : result.error().message();
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

class ModelFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"}) {
      env_.set_env(name, std::nullopt);
    }
    env_.set_env("HF_HUB_CACHE", folder_.path());
  }

  // A cached model as the hub's tools lay it out: blobs, and links to them.
  std::string put_cached(const std::string& file, std::string_view bytes,
                         const std::string& commit = kCommit) {
    const std::string model = "models--org--name";
    const std::string blob = "blob" + std::to_string(blobs_++);
    folder_.put(model + "/blobs/" + blob, bytes);
    folder_.link("../../blobs/" + blob, model + "/snapshots/" + commit + "/" + file);
    return folder_.path(model + "/snapshots/" + commit);
  }
  void put_ref(const std::string& name, std::string_view text) {
    folder_.put("models--org--name/refs/" + name, text);
  }
  Result<ModelDocuments> documents() {
    return read_model_documents(env_, {folder_.path(), "m", {}});
  }

  TestFolder folder_;
  FaultEnv env_{real_env()};
  int blobs_ = 0;
};

TEST_F(ModelFolder, APathIsTakenAsItIs) {
  folder_.link(folder_.path(), "self");
  const auto source = resolve_model(env_, folder_.path("self"));
  ASSERT_TRUE(source) << failure(source);
  EXPECT_EQ(source->folder, folder_.path());
  EXPECT_EQ(source->name, folder_.path("self"));
  EXPECT_EQ(source->revision, "");
  EXPECT_EQ(resolve_model(env_, folder_.path(), "main").error().code, Code::kInvalidArgument);
}

TEST_F(ModelFolder, FilesInPlaceOfFolders) {
  const auto gguf = resolve_model(env_, folder_.put("m.gguf", "GGUF\3\0\0\0"));
  ASSERT_FALSE(gguf);
  EXPECT_EQ(gguf.error().code, Code::kUnsupported);
  const auto file = resolve_model(env_, folder_.put("model.safetensors", "x"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kInvalidArgument);
  EXPECT_EQ(resolve_model(env_, "/dev/zero").error().code, Code::kInvalidData);
}

TEST_F(ModelFolder, NamesThatAreNoNames) {
  EXPECT_EQ(resolve_model(env_, "").error().code, Code::kInvalidArgument);
  for (const char* name : {"no-such-folder", "/no/such", "../x", "a/b/c", "org/../x", "./x", "org/",
                           "/name", "org/na me", "org/n--m", "org/..", "-o/n"}) {
    const auto source = resolve_model(env_, name);
    ASSERT_FALSE(source) << name;
    EXPECT_EQ(source.error().code, Code::kNotFound) << name;
    EXPECT_TRUE(contains(failure(source), "no such folder (give the folder")) << name;
  }
  EXPECT_EQ(resolve_model(env_, std::string("a\0b", 3)).error().code, Code::kNotFound);
}

TEST_F(ModelFolder, TheEmbeddedModelLiesBesideTheProgram) {
  const auto source = resolve_model(env_, "pebble");
  ASSERT_TRUE(source) << failure(source);
  EXPECT_EQ(source->name, "pebble");
  EXPECT_TRUE(env_.exists(join_path(source->folder, "model.safetensors")));
  EXPECT_EQ(resolve_model(env_, "pebble", "main").error().code, Code::kInvalidArgument);
}

TEST_F(ModelFolder, CachedModelByBranchTagAndCommit) {
  const std::string snapshot = put_cached("config.json", "{}");
  put_ref("main", kCommit);
  put_ref("refs/pr/1", std::string(kCommit) + "\n");
  for (const char* revision : {"", "main", "refs/pr/1", kCommit}) {
    const auto source = resolve_model(env_, "org/name", revision);
    ASSERT_TRUE(source) << failure(source);
    EXPECT_EQ(source->folder, snapshot);
    EXPECT_EQ(source->name, "org/name");
    EXPECT_EQ(source->revision, kCommit);
  }
}

TEST_F(ModelFolder, MissingFromTheCacheSaysHowToGetIt) {
  const auto absent = resolve_model(env_, "org/name");
  EXPECT_TRUE(contains(failure(absent), "not in the local cache " + folder_.path()));
  EXPECT_TRUE(contains(failure(absent), "`strata pull org/name`"));
  EXPECT_EQ(absent.error().code, Code::kNotFound);

  put_cached("config.json", "{}");
  EXPECT_TRUE(contains(failure(resolve_model(env_, "org/name")), "revision \"main\""));
  EXPECT_TRUE(contains(failure(resolve_model(env_, "org/name", "v2")),
                       "strata pull org/name --revision v2"));
  put_ref("main", "fedcba98");
  EXPECT_TRUE(contains(failure(resolve_model(env_, "org/name")), "snapshot fedcba98 is missing"));
}

TEST_F(ModelFolder, HostileRefsAndRevisions) {
  put_cached("config.json", "{}");
  for (const char* text : {"../../../etc", "", "/etc", "0123/..", "xyz"}) {
    put_ref("main", text);
    EXPECT_EQ(resolve_model(env_, "org/name").error().code, Code::kInvalidData) << text;
  }
  put_ref("main", std::string(1000, 'a'));
  EXPECT_EQ(resolve_model(env_, "org/name").error().code, Code::kResourceLimit);
  for (const char* revision : {"../main", "/main", "a//b", "a b", "a\nb"}) {
    EXPECT_EQ(resolve_model(env_, "org/name", revision).error().code, Code::kInvalidArgument);
  }
}

TEST_F(ModelFolder, CacheFolderFollowsTheVariables) {
  env_.set_env("HOME", "/h");
  EXPECT_EQ(hub_cache_folder(env_), folder_.path());
  env_.set_env("HF_HUB_CACHE", "~/c");
  EXPECT_EQ(hub_cache_folder(env_), "/h/c");
  env_.set_env("HF_HUB_CACHE", "");
  env_.set_env("HF_HOME", "/hf");
  env_.set_env("XDG_CACHE_HOME", "/xdg");
  EXPECT_EQ(hub_cache_folder(env_), "/hf/hub");
  env_.set_env("HF_HOME", std::nullopt);
  EXPECT_EQ(hub_cache_folder(env_), "/xdg/huggingface/hub");
  env_.set_env("XDG_CACHE_HOME", std::nullopt);
  EXPECT_EQ(hub_cache_folder(env_), "/h/.cache/huggingface/hub");
  env_.set_env("HOME", std::nullopt);
  EXPECT_EQ(hub_cache_folder(env_), "");
  EXPECT_TRUE(contains(failure(resolve_model(env_, "org/name")), "no Hugging Face cache"));
}

TEST_F(ModelFolder, CachedModelOpensThroughItsBlobs) {
  put_ref("main", kCommit);
  put_cached("config.json", "{\"a\":1}");
  put_cached("model.safetensors",
             safetensors_bytes(header_json({tensor_json("a", "U8", "[4]", 0, 4)}), 4));
  const auto source = resolve_model(env_, "org/name");
  ASSERT_TRUE(source);
  EXPECT_EQ(read_model_documents(env_, *source)->config, "{\"a\":1}");
  const auto checkpoint = Checkpoint::open(env_, source->folder);
  ASSERT_TRUE(checkpoint) << failure(checkpoint);
  EXPECT_EQ(checkpoint->file_name(0), "model.safetensors");
}

TEST_F(ModelFolder, MissingBlobIsAnIncompleteDownload) {
  put_cached("config.json", "{}");
  const std::string folder = put_cached("model.safetensors", "x");
  std::filesystem::remove(folder_.path("models--org--name/blobs/blob1"));
  const auto checkpoint = Checkpoint::open(env_, folder);
  ASSERT_FALSE(checkpoint);
  EXPECT_EQ(checkpoint.error().code, Code::kNotFound);
  EXPECT_TRUE(contains(failure(checkpoint), "model.safetensors: missing"));
  EXPECT_TRUE(contains(failure(checkpoint), "download"));
}

TEST_F(ModelFolder, LinksLeaveOnlyIntoTheOwnBlobs) {
  const std::string folder = put_cached("ok", "x");
  EXPECT_TRUE(path_in_folder(env_, folder, "ok"));
  folder_.put("models--org--other/blobs/b", "x");
  folder_.put("models--org--name/blobsx/b", "x");
  folder_.put("models--org--name/refs/main", "x");
  const std::string snapshot = "models--org--name/snapshots/" + std::string(kCommit);
  folder_.link("../../../models--org--other/blobs/b", snapshot + "/other");
  folder_.link("../../blobsx/b", snapshot + "/sibling");
  folder_.link("../../refs/main", snapshot + "/ref");
  folder_.link("/etc/passwd", snapshot + "/passwd");
  for (const char* name : {"other", "sibling", "ref", "passwd", "../../refs/main", "."}) {
    const auto path = path_in_folder(env_, folder, name);
    ASSERT_FALSE(path) << name;
    EXPECT_EQ(path.error().code, Code::kInvalidData) << name;
  }
  // A plain folder has no blobs, whatever its neighbours are called.
  folder_.put("plain/blobs/b", "x");
  folder_.link("../../blobs/b", "plain/snapshots/c/f");
  EXPECT_FALSE(path_in_folder(env_, folder_.path("plain/snapshots/c"), "f"));
}

TEST_F(ModelFolder, DocumentsAreOptionalButConfig) {
  EXPECT_TRUE(contains(failure(documents()), "config.json is missing"));
  folder_.put("config.json", "{}");
  auto bare = documents();
  ASSERT_TRUE(bare) << failure(bare);
  EXPECT_FALSE(bare->tokenizer || bare->tokenizer_config || bare->generation_config ||
               bare->special_tokens_map);
  EXPECT_TRUE(bare->chat_templates.empty());

  for (const char* name : {"generation_config.json", "tokenizer.json", "special_tokens_map.json"}) {
    folder_.put(name, name);
  }
  const auto full = documents();
  ASSERT_TRUE(full);
  EXPECT_EQ(full->generation_config, "generation_config.json");
  EXPECT_EQ(full->tokenizer, "tokenizer.json");
  EXPECT_EQ(full->special_tokens_map, "special_tokens_map.json");
}

TEST_F(ModelFolder, DocumentLimits) {
  folder_.put("config.json", "{}");
  ASSERT_EQ(::truncate(folder_.path("config.json").c_str(), 200'000'000), 0);
  EXPECT_EQ(failure(documents()),
            "config.json: file size: got 200000000 bytes, expected at most 4194304");
  folder_.put("config.json", "{}");
  for (const char* name : {"generation_config.json", "tokenizer.json", "tokenizer_config.json",
                           "special_tokens_map.json", "chat_template.jinja"}) {
    const std::string path = folder_.put(name, "x");
    ASSERT_EQ(::truncate(path.c_str(), 100'000'000), 0);
    const auto result = documents();
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code, Code::kResourceLimit) << name;
    EXPECT_TRUE(result.error().what.starts_with(name)) << name;
    std::filesystem::remove(path);
  }
}

TEST_F(ModelFolder, DocumentsThatAreNoFiles) {
  folder_.put("config.json", "{}");
  ASSERT_EQ(::mkfifo(folder_.path("tokenizer.json").c_str(), 0600), 0);
  EXPECT_TRUE(contains(failure(documents()), "tokenizer.json: got a pipe"));
  std::filesystem::remove(folder_.path("tokenizer.json"));
  folder_.link("/nowhere", "tokenizer.json");
  EXPECT_TRUE(contains(failure(documents()), "tokenizer.json: missing, or a link"));
  std::filesystem::remove(folder_.path("tokenizer.json"));
  folder_.link("/etc/passwd", "tokenizer.json");
  EXPECT_TRUE(contains(failure(documents()), "out of the model folder"));
}

std::vector<std::string> described(const ModelDocuments& documents) {
  std::vector<std::string> out;
  for (const ChatTemplateSource& t : documents.chat_templates) {
    out.push_back(t.name + "|" + t.text + "|" + t.origin);
  }
  return out;
}

TEST_F(ModelFolder, TemplatesInTheUsualOrder) {
  using List = std::vector<std::string>;
  folder_.put("config.json", "{}");
  folder_.put("tokenizer_config.json", R"({"chat_template": "one"})");
  EXPECT_EQ(described(*documents()), (List{"default|one|tokenizer_config.json"}));
  folder_.put("tokenizer_config.json",
              R"({"chat_template": [{"name": "tool_use", "template": "t"},
                                    {"name": "default", "template": "d"}]})");
  EXPECT_EQ(described(*documents()),
            (List{"default|d|tokenizer_config.json", "tool_use|t|tokenizer_config.json"}));
  folder_.put("chat_template.jinja", "file");
  EXPECT_EQ(described(*documents()), (List{"default|file|chat_template.jinja"}));
  folder_.put("additional_chat_templates/rag.jinja", "r");
  folder_.put("additional_chat_templates/readme.txt", "no");
  EXPECT_EQ(described(*documents()), (List{"default|file|chat_template.jinja",
                                           "rag|r|additional_chat_templates/rag.jinja"}));
  for (const char* none : {"{}", R"({"chat_template": null})"}) {
    std::filesystem::remove_all(folder_.path("additional_chat_templates"));
    std::filesystem::remove(folder_.path("chat_template.jinja"));
    folder_.put("tokenizer_config.json", none);
    EXPECT_TRUE(described(*documents()).empty()) << none;
  }
}

TEST_F(ModelFolder, SixtyFourTemplatesAtMost) {
  folder_.put("config.json", "{}");
  std::string list;
  for (int i = 0; i < 65; ++i) {
    list += (i > 0 ? "," : "") + fmt::format(R"({{"name": "n{}", "template": ""}})", i);
    if (i != 63) continue;
    folder_.put("tokenizer_config.json", R"({"chat_template": [)" + list + "]}");
    EXPECT_EQ(documents()->chat_templates.size(), 64u);
  }
  folder_.put("tokenizer_config.json", R"({"chat_template": [)" + list + "]}");
  EXPECT_TRUE(contains(failure(documents()), "number of chat templates: got more than 64"));
  for (int i = 0; i < 65; ++i)
    folder_.put(fmt::format("additional_chat_templates/{}.jinja", i), "");
  EXPECT_EQ(documents().error().code, Code::kResourceLimit);
}

TEST_F(ModelFolder, BrokenTokenizerConfigs) {
  folder_.put("config.json", "{}");
  for (const char* text :
       {"", "[]", "{", R"({"chat_template": 1})", R"({"chat_template": [1]})",
        R"({"chat_template": {"default": "x"}})", R"({"chat_template": [{"name": "x"}]})",
        R"({"chat_template": [{"name": "x", "template": 1}]})",
        R"({"chat_template": [{"name":"x","template":""},{"name":"x","template":""}]})"}) {
    folder_.put("tokenizer_config.json", text);
    EXPECT_TRUE(contains(failure(documents()), "tokenizer_config.json: ")) << text;
  }
  folder_.put("tokenizer_config.json",
              std::string(R"({"chat_template": ")").append((1 << 20) + 1, 'x').append("\"}"));
  EXPECT_EQ(documents().error().code, Code::kResourceLimit);
}

TEST_F(ModelFolder, EveryFailedCallIsOneStatus) {
  put_ref("main", kCommit);
  put_cached("config.json", "{}");
  put_cached("tokenizer.json", "{}");
  put_cached("tokenizer_config.json", R"({"chat_template": "x"})");
  const auto load = [](Env& env) -> Result<ModelDocuments> {
    const ModelSource source = TRY(resolve_model(env, "org/name"));
    return read_model_documents(env, source);
  };
  int64_t n = 0;
  for (;; ++n) {
    FaultEnv env(real_env(), {.fail_call = n});
    env.set_env("HF_HUB_CACHE", folder_.path());
    const auto result = load(env);
    if (result) {
      EXPECT_EQ(env.calls(), n);
      EXPECT_EQ(result->chat_templates.size(), 1u);
      break;
    }
    EXPECT_EQ(result.error().code, Code::kIo) << failure(result);
  }
  EXPECT_GE(n, 15);
}

TEST(SafeRelativeName, Verdicts) {
  for (const char* name : {"a", "a.b-c_9", "sub/a", "model-00001-of-00002.safetensors", "..a"}) {
    EXPECT_TRUE(is_safe_relative_name(name)) << name;
  }
  for (const char* name : {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a b",
                           "a\\b", "a:b", "a\nb", "\xc3\xa9"}) {
    EXPECT_FALSE(is_safe_relative_name(name)) << name;
  }
  EXPECT_TRUE(is_safe_relative_name(std::string(255, 'a')));
  EXPECT_FALSE(is_safe_relative_name(std::string(256, 'a')));
  EXPECT_FALSE(is_safe_relative_name(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace strata::checkpoint
