// Conversion through the fake world: the pack holds what loading gives, a fault at any call or a
// cut at any byte leaves nothing that looks whole and is not, and going on gives the same file.
#include "convert/convert.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/checksum.h"
#include "base/fault_env.h"
#include "checkpoint/pack_file.h"
#include "checkpoint/test_folder.h"
#include "convert/fingerprint.h"
#include "convert/pack_writer.h"
#include "convert/test_model.h"
#include "convert/unit_stream.h"
#include "device/cpu_device.h"
#include "model/config.h"
#include "model/test_support.h"

namespace strata::convert {
namespace {

using checkpoint::PackFile;
using model::WeightDtype;
using tensor::DType;

std::string config_text(bool tied, int vocab) {
  return fmt::format(
      R"({{"model_type": "qwen3", "vocab_size": {}, "hidden_size": 40, "intermediate_size": 50,
      "num_hidden_layers": 2, "num_attention_heads": 5, "num_key_value_heads": 1, "head_dim": 10,
      "attention_bias": true, "tie_word_embeddings": {}}})",
      vocab, tied);
}

/// A model on disk, opened and bound.
struct Model : testing::TestModel {
  explicit Model(DType file = DType::kBF16, bool tied = false,
                 WeightDtype dtype = WeightDtype::kAuto, int vocab = 75)
      : Model(config_text(tied, vocab), file, dtype) {}

 private:
  Model(const std::string& text, DType file, WeightDtype dtype)
      : TestModel(text, model::testing::random_tensors(model::parse_config(text)->spec, file),
                  dtype) {}
};

/// A disk that is nearly full.
class SmallDisk : public FaultEnv {
 public:
  SmallDisk() : FaultEnv(real_env()) {}
  Result<uint64_t> free_disk_bytes(const std::string&) override { return 4096; }
};

class ConvertTest : public ::testing::Test {
 protected:
  std::string out() const { return folder_.path("m.pack"); }
  std::string partial() const { return partial_name(out()); }

  Result<ConvertReport> convert(const Model& model, Env& env = real_env(), bool overwrite = false) {
    return convert_model(env, model.source(), {.out = out(), .overwrite = overwrite});
  }
  std::string convert_whole(const Model& model) {
    const auto report = convert(model);
    EXPECT_TRUE(report) << report.error().message();
    return read(out());
  }
  static std::string read(const std::string& path) {
    return real_env().read_small_file(path, 1 << 30).value_or("none");
  }
  void clear() {
    std::filesystem::remove(out());
    std::filesystem::remove(partial());
  }
  void expect_refused(const Result<ConvertReport>& report, std::string_view part) {
    ASSERT_FALSE(report);
    const std::string message = report.error().message();
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_NE(message.find('('), std::string::npos) << "no hint: " << message;
  }

  checkpoint::TestFolder folder_;
};

struct Case {
  DType file;
  bool tied;
  WeightDtype dtype;
};

TEST_F(ConvertTest, UnitsAreTheBytesThatLoadingTheFolderGives) {
  for (const Case& c :
       {Case{DType::kBF16, false, WeightDtype::kAuto}, Case{DType::kBF16, true, WeightDtype::kF32},
        Case{DType::kF16, true, WeightDtype::kAuto}, Case{DType::kF32, false, WeightDtype::kBF16},
        Case{DType::kF32, true, WeightDtype::kAuto}}) {
    clear();
    const Model model(c.file, c.tied, c.dtype);
    ASSERT_TRUE(convert(model));
    const auto pack = PackFile::open(real_env(), out(), "m.pack");
    ASSERT_TRUE(pack) << pack.error().message();
    const auto plan = model::bind_pack(model.spec, *pack, WeightDtype::kAuto);
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(plan->kind, model.plan.kind);
    EXPECT_EQ(plan->tied_head, c.tied);
    device::CpuDevice device;
    const auto wanted = model::load_weights(device, model.spec, model.checkpoint, model.plan);
    const auto found = model::load_weights(device, model.spec, *pack, *plan);
    ASSERT_TRUE(wanted && found) << found.error().message();
    ASSERT_EQ(found->memory.bytes(), wanted->memory.bytes());
    EXPECT_EQ(std::memcmp(found->memory.data(), wanted->memory.data(),
                          static_cast<size_t>(wanted->memory.bytes())),
              0);
    EXPECT_EQ(found->head.data == found->embedding.data, c.tied);
    EXPECT_EQ(found->layers[1].down.data - found->memory.data(),
              wanted->layers[1].down.data - wanted->memory.data());
  }
}

TEST_F(ConvertTest, AUnitOfManyWindowsIsWhole) {
  const Model model(DType::kF32, false, WeightDtype::kAuto, 120'003);
  ASSERT_GT(model.plan.cut.units[0].bytes, kWindowBytes);
  ASSERT_TRUE(convert(model));
  const auto pack = PackFile::open(real_env(), out(), "m.pack");
  ASSERT_TRUE(pack);
  device::CpuDevice device;
  const auto plan = model::bind_pack(model.spec, *pack, WeightDtype::kAuto);
  const auto wanted = model::load_weights(device, model.spec, model.checkpoint, model.plan);
  const auto found = model::load_weights(device, model.spec, *pack, *plan);
  ASSERT_TRUE(wanted && found);
  EXPECT_EQ(std::memcmp(found->memory.data(), wanted->memory.data(),
                        static_cast<size_t>(wanted->memory.bytes())),
            0);
}

TEST_F(ConvertTest, TheSameModelGivesTheSameBytes) {
  const Model model, again;
  const std::string first = convert_whole(model);
  clear();
  EXPECT_EQ(convert_whole(again), first);
  EXPECT_FALSE(std::filesystem::exists(partial()));
}

TEST_F(ConvertTest, ProgressCountsTheUnits) {
  const Model model;
  int64_t last = 0;
  const auto report =
      convert_model(real_env(), model.source(),
                    {.out = out(), .progress = [&](int64_t done, int64_t kept, int64_t total) {
                       EXPECT_GT(done, last);
                       EXPECT_EQ(kept, 0);
                       EXPECT_EQ(total, model.plan.cut.bytes);
                       last = done;
                     }});
  ASSERT_TRUE(report);
  EXPECT_EQ(last, model.plan.cut.bytes);
  EXPECT_EQ(report->units, 10u);
  EXPECT_EQ(report->file_bytes, static_cast<int64_t>(read(out()).size()));
}

TEST_F(ConvertTest, AFaultAtAnyCallLeavesNothingWrongAndIsGoneOnFrom) {
  const Model model;
  const std::string whole = convert_whole(model);
  for (const auto kind :
       {FaultPlan::Kind::kError, FaultPlan::Kind::kNoSpace, FaultPlan::Kind::kShortRead}) {
    int failures = 0;
    bool kept = false;
    for (int64_t call = 0;; call++) {
      clear();
      FaultEnv env(real_env(), {.kind = kind, .fail_call = call});
      // The model's own files too.
      auto checkpoint = checkpoint::Checkpoint::open(env, model.folder.path());
      if (!checkpoint) continue;
      const auto plan = model::bind_weights(model.spec, *checkpoint, WeightDtype::kAuto);
      ASSERT_TRUE(plan);
      const auto report = convert_model(env, {model.documents, *checkpoint, *plan}, {.out = out()});
      if (report) break;
      failures++;
      EXPECT_FALSE(report.error().message().empty());
      if (std::filesystem::exists(out())) {
        EXPECT_EQ(read(out()), whole) << call;
      }
      if (std::filesystem::exists(partial())) {
        EXPECT_FALSE(PackFile::open(real_env(), partial(), "p") && read(partial()) != whole)
            << call;
      }
      const auto after = convert(model);
      ASSERT_TRUE(after) << call << after.error().message();
      kept = kept || after->kept_bytes > 0;
      EXPECT_EQ(read(out()), whole) << call;
    }
    EXPECT_GT(failures, 20);
    EXPECT_TRUE(kept);
  }
}

TEST_F(ConvertTest, APartCutAnywhereIsGoneOnFrom) {
  const Model model;
  const std::string whole = convert_whole(model);
  const size_t data = whole.size() - static_cast<size_t>(model.plan.cut.bytes);
  int64_t most_kept = 0;
  for (size_t size = 0; size <= whole.size(); size += size < 64 ? 7 : 1021) {
    clear();
    folder_.put("m.pack.partial", whole.substr(0, size));
    const auto report = convert(model);
    ASSERT_TRUE(report) << size << report.error().message();
    EXPECT_EQ(read(out()), whole) << size;
    EXPECT_LE(report->kept_bytes, static_cast<int64_t>(size));
    if (size < data) {
      EXPECT_EQ(report->kept_bytes, 0);
    }
    most_kept = std::max(most_kept, report->kept_bytes);
  }
  EXPECT_GT(most_kept, 0);
}

TEST_F(ConvertTest, ADamagedPartIsMadeAnewFromTheDamageOn) {
  const Model model;
  const std::string whole = convert_whole(model);
  const size_t data = whole.size() - static_cast<size_t>(model.plan.cut.bytes);
  for (size_t at = 5; at < whole.size(); at += 509) {
    clear();
    std::string bytes = whole;
    if (at >= 8) bytes[at] = static_cast<char>(bytes[at] ^ 4);
    folder_.put("m.pack.partial", bytes);
    const auto report = convert(model);
    ASSERT_TRUE(report) << at << report.error().message();
    EXPECT_EQ(read(out()), whole) << at;
    if (at >= data) {
      EXPECT_LE(report->kept_bytes, static_cast<int64_t>(at - data)) << at;
    }
  }
}

TEST_F(ConvertTest, APackThatIsThereIsKeptOrRefused) {
  const Model model, other(DType::kBF16, true);
  const std::string whole = convert_whole(model);
  const auto again = convert(model);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->already_there);
  expect_refused(convert(other), "a pack of another model");
  EXPECT_EQ(read(out()), whole);
  const auto replaced = convert(other, real_env(), true);
  ASSERT_TRUE(replaced) << replaced.error().message();
  EXPECT_NE(read(out()), whole);
  folder_.put("m.pack", whole.substr(0, whole.size() - 1));
  expect_refused(convert(model), "cut short");
  ASSERT_TRUE(convert(model, real_env(), true));
  EXPECT_EQ(read(out()), whole);
}

TEST_F(ConvertTest, OtherFilesAreNeverReplaced) {
  const Model model;
  folder_.put("m.pack", "my thesis");
  expect_refused(convert(model), "another kind of file");
  expect_refused(convert(model, real_env(), true), "another kind of file");
  EXPECT_EQ(read(out()), "my thesis");
  clear();
  folder_.put("m.pack.partial", "my other thesis");
  expect_refused(convert(model), "another kind of file");
  expect_refused(convert(model, real_env(), true), "another kind of file");
  EXPECT_EQ(read(partial()), "my other thesis");
}

TEST_F(ConvertTest, AnotherModelsPartIsRefusedUnlessOverwritten) {
  const Model model, other(DType::kBF16, false, WeightDtype::kF32);
  const std::string whole = convert_whole(model);
  clear();
  std::string others = convert_whole(other);
  clear();
  folder_.put("m.pack.partial", others);
  expect_refused(convert(model), "m.pack.partial: the file: got begun from another model");
  EXPECT_EQ(read(partial()), others);
  ASSERT_TRUE(convert(model, real_env(), true));
  EXPECT_EQ(read(out()), whole);
  clear();
  others[8] = 9;
  folder_.put("m.pack.partial", others);
  expect_refused(convert(model), "another version of strata");
}

TEST_F(ConvertTest, AFullDiskIsSaidBeforehandWithNumbers) {
  const Model model;
  SmallDisk env;
  expect_refused(convert(model, env), "4.1 kB free");
  EXPECT_FALSE(std::filesystem::exists(partial()));
}

TEST_F(ConvertTest, TwoConversionsToOneFileDoNotMix) {
  const Model model;
  auto first = real_env().open_writable(partial(), WriteMode::kKeep);
  ASSERT_TRUE(first && (*first)->lock());
  const auto report = convert(model);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kBusy);
}

TEST_F(ConvertTest, APackOfAnotherModelOrFormatIsRefusedWhenBound) {
  const Model model, other(DType::kBF16, true);
  ASSERT_TRUE(convert(model));
  const auto pack = PackFile::open(real_env(), out(), "m.pack");
  ASSERT_TRUE(pack);
  const auto refusal = [&](const model::ModelSpec& spec, WeightDtype dtype) {
    const auto plan = model::bind_pack(spec, *pack, dtype);
    return plan ? std::string("bound") : plan.error().message();
  };
  EXPECT_EQ(refusal(model.spec, WeightDtype::kAuto), "bound");
  EXPECT_EQ(refusal(model.spec, WeightDtype::kBF16), "bound");
  EXPECT_EQ(refusal(model.spec, WeightDtype::kF32),
            "m.pack: --dtype: got f32, expected bf16, which the pack holds (convert the model with "
            "--dtype f32)");
  model::ModelSpec longer = model.spec;
  longer.tensors[3].rows += 32;
  EXPECT_NE(refusal(longer, WeightDtype::kAuto).find("tensors other than config.json asks for"),
            std::string::npos);
  longer = model.spec;
  longer.tensors.insert(longer.tensors.end() - 2, longer.tensors[1]);
  longer.tensors[longer.tensors.size() - 3].layer = 7;
  EXPECT_NE(
      refusal(longer, WeightDtype::kAuto).find("unit 9 of the pack: got head, expected layer"),
      std::string::npos)
      << refusal(longer, WeightDtype::kAuto);
}

TEST_F(ConvertTest, OtherLayoutsAreRefusedByName) {
  const Model model;
  const struct {
    std::function<void(checkpoint::PackContents&)> change;
    const char* says;
  } cases[] = {
      {[](auto& c) { c.layout = "panels-2"; },
       "layout of the pack: got panels-2, expected panels-1"},
      {[](auto& c) { c.numerics = 2; }, "numerics of the pack: got 2, expected 1"},
      {[](auto& c) { c.tensor_parallel = 2; }, "ranks of the pack: got 2, expected 1"},
      {[](auto& c) { c.weights = "int4"; }, "weights of the pack: got int4, expected bf16"},
  };
  for (const auto& c : cases) {
    checkpoint::PackContents contents = model::describe_pack(model.plan, 1);
    c.change(contents);
    const std::string bytes = testing::made_up_pack(contents);
    const auto pack = PackFile::open(real_env(), folder_.put("m.pack", bytes), "m.pack");
    ASSERT_TRUE(pack) << pack.error().message();
    const auto plan = model::bind_pack(model.spec, *pack, WeightDtype::kAuto);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, Code::kUnsupported);
    EXPECT_NE(plan.error().message().find(c.says), std::string::npos) << plan.error().message();
  }
}

TEST_F(ConvertTest, TheFingerprintTellsModelsApart) {
  const Model model;
  const auto of = [](const Model& m) {
    return *fingerprint_of(m.documents, m.checkpoint, m.plan, false);
  };
  EXPECT_EQ(of(model), of(Model()));
  EXPECT_NE(of(model), of(Model(DType::kF16)));
  EXPECT_NE(of(model), of(Model(DType::kBF16, true)));
  EXPECT_NE(of(model), of(Model(DType::kBF16, false, WeightDtype::kF32)));
  EXPECT_NE(of(model), *fingerprint_of(model.documents, model.checkpoint, model.plan, true));
  Model changed;
  changed.documents[1].text += "!";
  EXPECT_NE(of(model), of(changed));
}

TEST_F(ConvertTest, ADamagedUnitFailsTheLoadByName) {
  const Model model;
  std::string bytes = convert_whole(model);
  bytes[bytes.size() - static_cast<size_t>(model.plan.cut.units.back().padded_bytes) + 100] ^= 1;
  const auto pack = PackFile::open(real_env(), folder_.put("bad.pack", bytes), "bad.pack");
  ASSERT_TRUE(pack);
  const auto plan = model::bind_pack(model.spec, *pack, WeightDtype::kAuto);
  device::CpuDevice device;
  const auto weights = model::load_weights(device, model.spec, *pack, *plan);
  ASSERT_FALSE(weights);
  EXPECT_NE(weights.error().message().find("bad.pack: head (bytes "), std::string::npos)
      << weights.error().message();
}

}  // namespace
}  // namespace strata::convert
