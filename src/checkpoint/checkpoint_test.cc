// Whole folders: one file or shards, indexes that lie, weights that are of another kind, and faults
// at any call.
#include "checkpoint/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "base/fault_env.h"
#include "checkpoint/test_folder.h"

namespace strata::checkpoint {
namespace {

std::string one_tensor(std::string_view name, uint64_t bytes) {
  const std::string shape = std::string("[").append(std::to_string(bytes)).append("]");
  return safetensors_bytes(header_json({tensor_json(name, "U8", shape, 0, bytes)}), bytes);
}

class CheckpointTest : public ::testing::Test {
 protected:
  Result<Checkpoint> open() { return Checkpoint::open(real_env(), folder_.path()); }

  Status refusal() {
    const auto checkpoint = open();
    EXPECT_FALSE(checkpoint);
    return checkpoint ? Status{Code::kCancelled, "accepted", {}, {}, {}} : checkpoint.error();
  }
  void expect_refused(Code code, std::string_view part) {
    const Status status = refusal();
    EXPECT_EQ(code_name(status.code), code_name(code)) << status.message();
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
    EXPECT_EQ(status.message().find(folder_.path()), std::string::npos) << status.message();
  }
  void put_index(const std::string& weight_map, const std::string& metadata = "{}") {
    folder_.put("model.safetensors.index.json",
                "{\"metadata\":" + metadata + ",\"weight_map\":" + weight_map + "}");
  }
  // Two shards: s1 holds a (4 bytes), s2 holds b (6 bytes).
  void put_shards() {
    folder_.put("s1.safetensors", one_tensor("a", 4));
    folder_.put("s2.safetensors", one_tensor("b", 6));
    put_index(R"({"b":"s2.safetensors","a":"s1.safetensors"})", R"({"total_size":10})");
  }

  TestFolder folder_;
};

TEST_F(CheckpointTest, SingleFile) {
  folder_.put("model.safetensors",
              safetensors_bytes(header_json({tensor_json("b", "U8", "[4]", 4, 8),
                                             tensor_json("a", "F16", "[2]", 0, 4)}),
                                8));
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->entries().size(), 2u);
  EXPECT_EQ(checkpoint->total_bytes(), 8u);
  EXPECT_EQ(checkpoint->find("c"), nullptr);
  const TensorEntry* const b = checkpoint->find("b");
  ASSERT_NE(b, nullptr);
  std::byte out[2];
  ASSERT_TRUE(checkpoint->read(*b, 1, out));
  EXPECT_EQ(out[0], std::byte{5});
  EXPECT_EQ(out[1], std::byte{6});
  EXPECT_EQ(checkpoint->file_name(b->file), "model.safetensors");
  EXPECT_TRUE(checkpoint->warnings().empty());
}

TEST_F(CheckpointTest, Shards) {
  put_shards();
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->file_count(), 2u);
  EXPECT_EQ(checkpoint->total_bytes(), 10u);
  EXPECT_EQ(checkpoint->file_name(checkpoint->find("b")->file), "s2.safetensors");
  EXPECT_TRUE(checkpoint->warnings().empty());
  EXPECT_EQ(checkpoint->file(0).size(), one_tensor("a", 4).size());
}

TEST_F(CheckpointTest, ThreadsReadTogether) {
  put_shards();
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        std::byte out[6];
        EXPECT_TRUE(checkpoint->read(*checkpoint->find("b"), 0, out));
        EXPECT_EQ(out[5], std::byte{5});
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(CheckpointTest, SingleFileWinsOverAnIndex) {
  put_index("{\"x\":\"none.safetensors\"}");
  folder_.put("model.safetensors", one_tensor("a", 4));
  EXPECT_TRUE(open());
}

TEST_F(CheckpointTest, C01MissingFolders) {
  const auto missing = Checkpoint::open(real_env(), folder_.path("none"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  expect_refused(Code::kNotFound, "no weights");
}

TEST_F(CheckpointTest, C02IndexNamesLeadNowhereElse) {
  const std::string outside = folder_.put("../strata_outside.safetensors", one_tensor("a", 4));
  const std::string long_name(300, 'x');
  for (const std::string& name :
       {std::string("../strata_outside.safetensors"), outside,
        std::string("a/../../strata_outside.safetensors"), std::string("./s1.safetensors"),
        std::string("https://x.org/s1.safetensors"), std::string("..\\\\s1.safetensors"),
        std::string("s1.safetensors\\u0000"), std::string("/dev/zero"), std::string("/dev/stdin"),
        std::string("CON"), std::string(""), std::string("s1//x.safetensors"),
        std::string("s1.bin"), std::string("a\\nb.safetensors"), long_name + ".safetensors"}) {
    put_index("{\"a\":\"" + name + "\"}");
    const Status status = refusal();
    EXPECT_NE(status.message().find("index.json"), std::string::npos) << name;
  }
  std::filesystem::remove(outside);
}

TEST_F(CheckpointTest, C02ShardsInSubfoldersAreFine) {
  folder_.put("sub/s1.safetensors", one_tensor("a", 4));
  put_index("{\"a\":\"sub/s1.safetensors\"}");
  EXPECT_TRUE(open());
}

TEST_F(CheckpointTest, C03IndexContradictsShards) {
  put_shards();
  put_index(R"({"a":"s1.safetensors","b":"s3.safetensors"})");
  expect_refused(Code::kNotFound, "s3.safetensors: missing");
  put_index(R"({"a":"s1.safetensors","b":"s1.safetensors"})");
  expect_refused(Code::kInvalidData, "\"b\": got in no file, expected in s1.safetensors");
  put_index(R"({"a":"s2.safetensors","b":"s1.safetensors"})");
  expect_refused(Code::kInvalidData, "\"a\": got in s1.safetensors, expected in s2.safetensors");
  folder_.put("s2.safetensors", one_tensor("a", 6));
  put_index(R"({"a":"s1.safetensors","b":"s2.safetensors"})");
  expect_refused(Code::kInvalidData, "\"a\" is in two files: s1.safetensors and s2.safetensors");
}

TEST_F(CheckpointTest, C03IndexIsNoIndex) {
  put_shards();
  for (const char* map : {"[]", "\"x\"", "1", "null", "{\"a\":1}", "{\"a\":[]}", "{\"a\":null}",
                          "{}", "{\"a\":\"s1.safetensors\",\"a\":\"s1.safetensors\"}", "{\"a\"}"}) {
    put_index(map);
    EXPECT_NE(refusal().message().find("index.json"), std::string::npos) << map;
  }
  for (const char* text :
       {"", "[]", "{", "{}", "{\"metadata\":{}}",
        "{\"weight_map\":{\"a\":\"s1.safetensors\"},\"weight_map\":{\"b\":\"s2.safetensors\"}}",
        "{\"weight_map\":{\"a\":\"s1.safetensors\"}} x", "\xff\xfe{"}) {
    folder_.put("model.safetensors.index.json", text);
    EXPECT_NE(refusal().message().find("index.json"), std::string::npos) << text;
  }
}

// An index as large as its limits, of which one number is one too many.
std::string index_map(size_t tensors, size_t shards) {
  std::string map = "{";
  for (size_t i = 0; i < tensors; ++i) {
    map += "\"t" + std::to_string(i) + "\":\"" + std::to_string(i % shards) + ".safetensors\",";
  }
  map.back() = '}';
  return map;
}

TEST_F(CheckpointTest, C03IndexLimits) {
  put_index(index_map((1 << 20) + 1, 1));
  expect_refused(Code::kResourceLimit, "too many tensors");
  put_index(index_map(4097, 4097));
  expect_refused(Code::kResourceLimit, "more than 4096 shards");
  put_index(index_map(4096, 4096));
  expect_refused(Code::kNotFound, "0.safetensors: missing");
  put_index("{}");
  ASSERT_EQ(::truncate(folder_.path("model.safetensors.index.json").c_str(), (32 << 20) + 1), 0);
  expect_refused(Code::kResourceLimit, "index.json: file size: got 33554433 bytes");
}

TEST_F(CheckpointTest, C03WrongTotalSizeOnlyWarns) {
  put_shards();
  const std::string map = R"({"a":"s1.safetensors","b":"s2.safetensors"})";
  for (const char* metadata : {R"({"total_size":11})", R"({"total_size":1.1e30})"}) {
    put_index(map, metadata);
    const auto checkpoint = open();
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    ASSERT_EQ(checkpoint->warnings().size(), 1u);
    EXPECT_NE(checkpoint->warnings()[0].find("total_size"), std::string::npos);
  }
  for (const char* metadata : {R"({"total_size":10.0,"x":[{}]})", R"({"total_size":"?"})", "{}",
                               "null", R"({"total_size":null})"}) {
    put_index(map, metadata);
    const auto checkpoint = open();
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    EXPECT_TRUE(checkpoint->warnings().empty()) << metadata;
  }
}

TEST_F(CheckpointTest, UnlistedTensorsAreKeptAndNamed) {
  put_shards();
  folder_.put("s1.safetensors",
              safetensors_bytes(header_json({tensor_json("a", "U8", "[4]", 0, 4),
                                             tensor_json("extra", "U8", "[1]", 4, 5)}),
                                5));
  put_index(R"({"a":"s1.safetensors","b":"s2.safetensors"})");
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  EXPECT_NE(checkpoint->find("extra"), nullptr);
  EXPECT_EQ(checkpoint->warnings().size(), 1u);
}

TEST_F(CheckpointTest, C15OtherWeightsAreNamed) {
  for (const char* name : {"pytorch_model.bin", "model.pt", "consolidated.00.pth", "w.pkl"}) {
    const std::string path = folder_.put(name, "x");
    expect_refused(Code::kInvalidData, "pickle is not read");
    std::filesystem::remove(path);
  }
  folder_.put("training_args.bin", "x");
  expect_refused(Code::kNotFound, "no weights");
  folder_.put("adapter_model.safetensors", one_tensor("a", 4));
  expect_refused(Code::kUnsupported, "LoRA adapter");
  folder_.put("x.gguf", "GGUF");
  expect_refused(Code::kUnsupported, "GGUF");
}

TEST_F(CheckpointTest, RenamedShardsAreNamed) {
  folder_.put("model-00001-of-00002.safetensors", one_tensor("a", 4));
  expect_refused(Code::kNotFound, "only model-00001-of-00002.safetensors");
}

TEST_F(CheckpointTest, A15WhatIsNoRegularFile) {
  const std::string path = folder_.path("model.safetensors");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  expect_refused(Code::kInvalidData, "model.safetensors: got a pipe");
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  expect_refused(Code::kInvalidData, "model.safetensors: got a folder");
  std::filesystem::remove(path);
  folder_.link("model.safetensors", "model.safetensors");
  expect_refused(Code::kInvalidData, "model.safetensors");
}

TEST_F(CheckpointTest, A15LinksOutOfTheFolder) {
  const TestFolder elsewhere;
  const std::string target = elsewhere.put("w", one_tensor("a", 4));
  const std::string path = folder_.path("model.safetensors");
  folder_.link(target, "model.safetensors");
  expect_refused(Code::kInvalidData, "out of the model folder");
  std::filesystem::remove(path);
  folder_.link("/dev/zero", "model.safetensors");
  expect_refused(Code::kInvalidData, "out of the model folder");
  std::filesystem::remove(path);
  folder_.put("inside", one_tensor("a", 4));
  folder_.link("inside", "model.safetensors");
  EXPECT_TRUE(open());
}

TEST_F(CheckpointTest, FileCutWhileOpenNamesTensorAndOffset) {
  folder_.put("model.safetensors", one_tensor("a", 100));
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  ASSERT_EQ(::truncate(folder_.path("model.safetensors").c_str(), 80), 0);
  std::byte out[50];
  const auto read = checkpoint->read(*checkpoint->find("a"), 50, out);
  ASSERT_FALSE(read);
  EXPECT_TRUE(read.error().what.starts_with(
      "model.safetensors: tensor \"a\": 50 bytes at byte 50: truncated"))
      << read.error().what;
}

TEST_F(CheckpointTest, ReadingBeyondATensorIsABug) {
  folder_.put("model.safetensors", one_tensor("a", 4));
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint);
  std::byte out[2];
  EXPECT_DEATH((void)checkpoint->read(*checkpoint->find("a"), 3, out), "read beyond a tensor");
}

TEST_F(CheckpointTest, EveryFailedCallIsOneStatus) {
  put_shards();
  for (const auto kind : {FaultPlan::Kind::kError, FaultPlan::Kind::kShortRead}) {
    int64_t n = 0;
    for (;; ++n) {
      FaultEnv env(real_env(), {.kind = kind, .fail_call = n});
      const auto checkpoint = Checkpoint::open(env, folder_.path());
      if (checkpoint) {
        EXPECT_EQ(env.calls(), n);
        break;
      }
      EXPECT_FALSE(checkpoint.error().what.empty());
    }
    EXPECT_GE(n, 7);
  }
}

}  // namespace
}  // namespace strata::checkpoint
