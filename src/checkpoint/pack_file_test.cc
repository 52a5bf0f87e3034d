// Packs that are whole, cut, damaged, forged or of another kind: what is wrong is named with the
// file, before memory is taken for it.
#include "checkpoint/pack_file.h"

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/test_folder.h"
#include "checkpoint/test_pack.h"

namespace strata::checkpoint {
namespace {

class PackFileTest : public ::testing::Test {
 protected:
  Result<PackFile> open(std::string_view bytes) {
    return PackFile::open(real_env(), folder_.put("m.pack", bytes), "m.pack");
  }
  Status refusal(std::string_view bytes) {
    const auto pack = open(bytes);
    EXPECT_FALSE(pack);
    return pack ? Status{Code::kCancelled, "accepted", {}, {}, {}} : pack.error();
  }
  void expect_refused(std::string_view bytes, std::string_view part) {
    const std::string message = refusal(bytes).message();
    EXPECT_TRUE(message.starts_with("m.pack")) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_NE(message.find('('), std::string::npos) << "no hint: " << message;
  }

  TestFolder folder_;
};

TEST_F(PackFileTest, HoldsWhatWasPutIn) {
  const PackContents made = small_contents();
  const auto pack = open(pack_bytes(made));
  ASSERT_TRUE(pack) << pack.error().message();
  const PackContents& read = pack->contents();
  EXPECT_EQ(read.layout, "test");
  EXPECT_EQ(read.weights, "bf16");
  EXPECT_EQ(read.fingerprint, 0x1234u);
  ASSERT_EQ(read.units.size(), 2u);
  for (size_t i = 0; i < 2; i++) {
    const PackUnit& unit = read.units[i];
    EXPECT_EQ(unit.name, made.units[i].name);
    EXPECT_EQ(unit.offset % 4096, 0u);
    EXPECT_EQ(unit.tensors, made.units[i].tensors);
    std::vector<std::byte> bytes(unit.padded_bytes, std::byte{9});
    int64_t seen = 0;
    ASSERT_TRUE(pack->read_unit(i, bytes, [&](int64_t more) { seen += more; }));
    EXPECT_EQ(seen, static_cast<int64_t>(unit.padded_bytes));
    EXPECT_EQ(bytes[unit.bytes - 1], static_cast<std::byte>('a' + i));
    EXPECT_EQ(bytes[unit.bytes], std::byte{0});
  }
  const auto documents = pack->read_documents();
  ASSERT_TRUE(documents);
  EXPECT_EQ((*documents)[1].name, "tokenizer.json");
  EXPECT_EQ((*documents)[1].text, "words");
}

TEST_F(PackFileTest, CutAnywhereItIsNamedAsCut) {
  const std::string whole = pack_bytes(small_contents());
  for (size_t size = kPackMagic.size(); size < whole.size(); size += 61) {
    expect_refused(whole.substr(0, size),
                   size < kPackHeaderBytes ? "cut short inside its header" : "cut short: ");
  }
  expect_refused(whole.substr(0, whole.size() - 1), "cut short: ");
  expect_refused(whole + "x", "too long");
  expect_refused("", "another kind of file");
}

TEST_F(PackFileTest, AFlippedBitBeforeTheUnitsIsFoundAtOpening) {
  const std::string whole = pack_bytes(small_contents());
  const size_t data_offset = whole.size() - 3 * 4096;
  for (size_t at = 0; at < data_offset; at += at < 128 || at > 4080 ? 1 : 33) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << at % 8));
    const std::string message = refusal(bytes).message();
    EXPECT_TRUE(message.starts_with("m.pack")) << at << message;
  }
}

TEST_F(PackFileTest, AFlippedBitInAUnitIsFoundWhenItIsRead) {
  const std::string whole = pack_bytes(small_contents());
  for (size_t back : {3 * 4096, 2 * 4096, 4097, 4096, 4000, 1}) {
    std::string bytes = whole;
    bytes[bytes.size() - back] ^= 1;
    const auto pack = open(bytes);
    ASSERT_TRUE(pack);
    const size_t hit = back > 4096 ? 0 : 1;
    for (size_t i = 0; i < 2; i++) {
      std::vector<std::byte> out(pack->units()[i].padded_bytes);
      const auto read = pack->read_unit(i, out);
      ASSERT_EQ(read.has_value(), i != hit) << back;
      if (read) continue;
      EXPECT_EQ(read.error().code, Code::kInvalidData);
      const std::string message = read.error().message();
      EXPECT_NE(message.find(hit == 0 ? "m.pack: first" : "m.pack: second"), std::string::npos);
      EXPECT_NE(message.find("damaged"), std::string::npos);
      EXPECT_NE(message.find("convert the model again"), std::string::npos);
    }
  }
}

TEST_F(PackFileTest, OtherVersionsAndUnfinishedPacksAreNamed) {
  std::string bytes = pack_bytes(small_contents());
  bytes[8] = 2;
  EXPECT_EQ(refusal(bytes).code, Code::kUnsupported);
  expect_refused(bytes, "version of the pack: got 2, expected 1 (use a newer strata");
  bytes[8] = 0;
  expect_refused(bytes, "version of the pack: got 0, expected 1 (convert the model again)");
  expect_refused(pack_bytes(small_contents(), [](PackHeader& h) { h.finished = false; }),
                 "an unfinished pack");
}

TEST_F(PackFileTest, OtherFilesAreNoPacks) {
  for (const char* start : {"GGUF\x03", "PK\x03\x04", "{\"a\":1}", "\x10\0\0\0\0\0\0\0{"}) {
    expect_refused(std::string(start) + std::string(9000, ' '), "another kind of file");
  }
}

struct Lie {
  const char* name;
  std::function<void(PackContents&)> table;
  std::function<void(PackHeader&)> header;
  const char* says;
};

TEST_F(PackFileTest, ForgedNumbersAreRefused) {
  const std::vector<Lie> lies = {
      {"overlapping units", [](PackContents& c) { c.units[1].offset = 4096; }, {}, "overlap"},
      {"units in another order",
       [](PackContents& c) { std::swap(c.units[0], c.units[1]); },
       {},
       "lie outside"},
      {"a unit between pages",
       [](PackContents& c) { c.units[1].offset = 8256; },
       {},
       "a multiple of 4096"},
      {"a huge unit", [](PackContents& c) { c.units[0].bytes = uint64_t{1} << 45; }, {}, "outside"},
      {"an absurd unit", [](PackContents& c) { c.units[0].bytes = ~uint64_t{0}; }, {}, "bytes"},
      {"a hole", [](PackContents& c) { c.units[0].bytes = 4096, c.units[0].tensors.clear(); },
       [](PackHeader& h) { h.file_bytes += 4096; }, "cut short"},
      {"overlapping tensors",
       [](PackContents& c) { c.units[0].tensors[1].offset = 3999; },
       {},
       "overlap"},
      {"a tensor outside",
       [](PackContents& c) { c.units[0].tensors[1].bytes = 969; },
       {},
       "outside"},
      {"a negative shape",
       [](PackContents& c) { c.units[0].tensors[0].shape[0] = -1; },
       {},
       "shape"},
      {"no ranks", [](PackContents& c) { c.tensor_parallel = 0; }, {}, "tensor_parallel"},
      {"fewer units", {}, [](PackHeader& h) { h.units = 1; }, "number of units"},
      {"more units", {}, [](PackHeader& h) { h.units = 4; }, "number of units"},
      {"absurdly many units", {}, [](PackHeader& h) { h.units = ~uint64_t{0}; }, "more units"},
      {"an absurd table",
       {},
       [](PackHeader& h) { h.table_bytes = ~uint64_t{0} - 4; },
       "table beyond"},
      {"a longer table", {}, [](PackHeader& h) { h.table_bytes++, h.document_bytes--; }, "table"},
      {"absurd documents",
       {},
       [](PackHeader& h) { h.document_bytes = uint64_t{1} << 60; },
       "documents beyond"},
      {"longer documents", {}, [](PackHeader& h) { h.document_bytes++; }, "documents"},
      {"units elsewhere", {}, [](PackHeader& h) { h.data_offset += 4096; }, "another place"},
      {"an absurd size", {}, [](PackHeader& h) { h.file_bytes = ~uint64_t{0}; }, "64 TiB"},
      {"an odd alignment", {}, [](PackHeader& h) { h.alignment = 4097; }, "alignment"},
      {"no alignment", {}, [](PackHeader& h) { h.alignment = 0; }, "alignment"},
      {"a small alignment", {}, [](PackHeader& h) { h.alignment = 64; }, "alignment"},
  };
  for (const Lie& lie : lies) {
    PackContents contents = small_contents();
    if (lie.table) lie.table(contents);
    const std::string bytes = pack_bytes(contents, lie.header);
    SCOPED_TRACE(lie.name);
    expect_refused(bytes, lie.says);
  }
}

TEST_F(PackFileTest, EveryFailedCallIsOneStatus) {
  const std::string path = folder_.put("m.pack", pack_bytes(small_contents()));
  for (const auto kind : {FaultPlan::Kind::kError, FaultPlan::Kind::kShortRead}) {
    int failures = 0;
    for (int64_t call = 0;; call++) {
      FaultEnv env(real_env(), {.kind = kind, .fail_call = call});
      const auto used = [&]() -> Result<void> {
        const PackFile pack = TRY(PackFile::open(env, path, "m.pack"));
        TRY(pack.read_documents());
        std::vector<std::byte> out(pack.units()[0].padded_bytes);
        return pack.read_unit(0, out);
      }();
      if (used) break;
      failures++;
      EXPECT_NE(used.error().message().find("m.pack"), std::string::npos) << used.error().message();
    }
    EXPECT_GT(failures, 5);
  }
}

TEST_F(PackFileTest, AModelsPathMayBeAPack) {
  const std::string path = folder_.put("m.pack", pack_bytes(small_contents()));
  const auto source = resolve_model(real_env(), path);
  ASSERT_TRUE(source);
  EXPECT_TRUE(source->is_pack);
  EXPECT_EQ(source->folder, path);
  EXPECT_FALSE(resolve_model(real_env(), path, "main"));
}

TEST_F(PackFileTest, DocumentsBeyondTheirLimitAreRefused) {
  EXPECT_TRUE(make_model_documents({{"config.json", "{}"}}));
  EXPECT_FALSE(make_model_documents({{"config.json", std::string((4 << 20) + 1, ' ')}}));
  EXPECT_FALSE(make_model_documents({{"config.json", "{}"}, {"surprise.json", "x"}}));
  EXPECT_FALSE(make_model_documents({}));
}

}  // namespace
}  // namespace strata::checkpoint
