// What a hub's listing may say, and which of its files are fetched.
#include "hub/repo.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace strata::hub {
namespace {

constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";
const std::string kSha1(40, 'a');
const std::string kSha256(64, 'b');

std::string listing(const std::string& siblings, const std::string& commit = kCommit) {
  return R"({"id": "org/name", "sha": ")" + commit + R"(", "siblings": [)" + siblings + "]}";
}

std::string small(const std::string& path) {
  return R"({"rfilename": ")" + path + R"(", "size": 3, "blobId": ")" + kSha1 + R"("})";
}

std::string large(const std::string& path) {
  return R"({"rfilename": ")" + path + R"(", "size": 9, "blobId": ")" + kSha1 +
         R"(", "lfs": {"sha256": ")" + kSha256 + R"(", "size": 9, "pointerSize": 1}})";
}

std::string refusal(const std::string& text) {
  const auto repo = parse_repo(text, "list");
  if (repo) return "accepted";
  EXPECT_EQ(repo.error().code, Code::kInvalidData);
  return repo.error().message();
}

TEST(Repo, ReadsSizesAndDigests) {
  const auto repo = parse_repo(listing(small("config.json") + "," + large("a/b.safetensors")), "x");
  ASSERT_TRUE(repo) << repo.error().message();
  EXPECT_EQ(repo->commit, kCommit);
  ASSERT_EQ(repo->files.size(), 2u);
  EXPECT_EQ(repo->files[0].kind, DigestKind::kGitSha1);
  EXPECT_EQ(repo->files[0].digest, kSha1);
  EXPECT_EQ(repo->files[1].kind, DigestKind::kSha256);
  EXPECT_EQ(repo->files[1].digest, kSha256);
  EXPECT_EQ(repo->files[1].bytes, 9u);
}

TEST(Repo, RefusesPathsThatLeaveTheFolder) {
  for (const char* path : {"../a", "/a", "a/../b", "a//b", "a/", ".", "", "a/..", "a\\\\b",
                           "a\\u0000b", "a\\nb", "a\\u001bb"}) {
    EXPECT_NE(refusal(listing(small(path))).find("rfilename"), std::string::npos) << path;
  }
  EXPECT_NE(refusal(listing(small(std::string(256, 'a')))), "accepted");
  EXPECT_EQ(refusal(listing(small("chat template (1).json"))), "accepted");
}

TEST(Repo, RefusesWhatIsNoDigestNoSizeOrTwice) {
  EXPECT_EQ(refusal(listing(small("a") + "," + small("a"))), "list: a is listed twice");
  EXPECT_NE(refusal(listing("", "main")).find("sha"), std::string::npos);
  EXPECT_NE(refusal(listing("", "../../0123456789abcdef0123456789abcdef01")), "accepted");
  std::string bad = small("a");
  bad.replace(bad.find(kSha1), 40, "../../../../../../../../../../../../evil");
  EXPECT_NE(refusal(listing(bad)).find("a: digest"), std::string::npos);
  bad = small("a");
  bad.replace(bad.find("3"), 1, "-3");
  EXPECT_NE(refusal(listing(bad)).find("size"), std::string::npos);
  EXPECT_NE(refusal(listing(R"({"rfilename": "a", "size": 3})")).find("blobId"), std::string::npos);
  EXPECT_NE(refusal("[]"), "accepted");
}

std::vector<std::string> paths(const std::vector<RemoteFile>& files) {
  std::vector<std::string> names;
  for (const RemoteFile& file : files) names.push_back(file.path);
  return names;
}

Repo repo_of(const std::vector<std::string>& names) {
  Repo repo{.commit = kCommit};
  for (const std::string& name : names) repo.files.push_back({.path = name, .digest = kSha1});
  return repo;
}

using Names = std::vector<std::string>;

TEST(Selection, TakesWhatStrataRuns) {
  const Selection chosen = select_files(
      repo_of({"config.json", "tokenizer.json", "chat_template.jinja", "pytorch_model.bin",
               "additional_chat_templates/rag.jinja", "model-00001-of-00002.safetensors",
               "original/consolidated.safetensors", "onnx/config.json", "tf_model.h5"}),
      {});
  EXPECT_EQ(paths(chosen.documents), (Names{"config.json", "tokenizer.json", "chat_template.jinja",
                                            "additional_chat_templates/rag.jinja"}));
  EXPECT_EQ(paths(chosen.weights), (Names{"model-00001-of-00002.safetensors"}));
  EXPECT_EQ(chosen.left_out, (Names{"pytorch_model.bin", "original/consolidated.safetensors",
                                    "onnx/config.json", "tf_model.h5"}));
}

TEST(Selection, ASingleFileWinsAndAnIndexDecides) {
  Selection single = select_files(repo_of({"model.safetensors", "consolidated.safetensors"}), {});
  EXPECT_EQ(paths(single.weights), (Names{"model.safetensors"}));
  Selection shards = select_files(repo_of({"a.safetensors", "b.safetensors", "c.safetensors"}), {});
  ASSERT_TRUE(keep_indexed(shards, {"a.safetensors", "c.safetensors"}));
  EXPECT_EQ(paths(shards.weights), (Names{"a.safetensors", "c.safetensors"}));
  EXPECT_EQ(shards.left_out, (Names{"b.safetensors"}));
  EXPECT_EQ(keep_indexed(shards, {"d.safetensors"}).error().code, Code::kInvalidData);
}

TEST(Selection, PatternsTakeAndLeave) {
  const Repo repo = repo_of({"config.json", "a/b.bin", "c.bin"});
  EXPECT_EQ(paths(select_files(repo, {{"*.bin"}, {}}).documents), (Names{"a/b.bin", "c.bin"}));
  EXPECT_EQ(paths(select_files(repo, {{"*"}, {"a/*"}}).documents), (Names{"config.json", "c.bin"}));
  EXPECT_EQ(select_files(repo, {{}, {"*.json"}}).left_out,
            (Names{"config.json", "a/b.bin", "c.bin"}));
}

}  // namespace
}  // namespace strata::hub
