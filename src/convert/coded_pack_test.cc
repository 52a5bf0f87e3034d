// Packs with coded weights: they expand into the bits of the folder, hold coded what gains by it
// and nothing else, are gone on with like others, and are refused where their sizes lie.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "base/checksum.h"
#include "base/fault_env.h"
#include "checkpoint/pack_file.h"
#include "checkpoint/test_folder.h"
#include "convert/convert.h"
#include "convert/pack_writer.h"
#include "convert/test_model.h"
#include "device/cpu_device.h"
#include "model/config.h"
#include "model/test_support.h"
#include "tensor/exponent_coding.h"

namespace strata::convert {
namespace {

using checkpoint::PackFile;
using model::WeightDtype;
using tensor::DType;
using tensor::PackedMatrix;

// One key head of 16: half of its panel is padding, whose zeros have no code.
constexpr std::string_view kConfig = R"({"model_type": "qwen3", "vocab_size": 75,
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 1, "head_dim": 16, "tie_word_embeddings": false})";

// The first panel of one matrix has 200 escapes more than the others.
model::testing::TestTensors tensors_of(const model::ModelSpec& spec, DType file) {
  auto tensors = model::testing::random_tensors(spec, file);
  std::vector<float>& values = tensors.at("model.layers.0.mlp.up_proj.weight").values;
  for (size_t i = 0; i < 200; i++) values[i] = std::ldexp(1.0F, -40 - static_cast<int>(i % 40));
  return tensors;
}

struct Model : testing::TestModel {
  explicit Model(DType file = DType::kBF16, const std::string& text = std::string(kConfig))
      : TestModel(text, tensors_of(model::parse_config(text)->spec, file), WeightDtype::kAuto) {}
};

class CodedPackTest : public ::testing::Test {
 protected:
  std::string out() const { return folder_.path("m.pack"); }
  Result<ConvertReport> convert(const Model& model, bool compress = true) {
    return convert_model(real_env(), model.source(), {.out = out(), .compress = compress});
  }
  static std::string read(const std::string& path) {
    return real_env().read_small_file(path, 1 << 30).value_or("none");
  }

  checkpoint::TestFolder folder_;
};

// The matrix as products see it.
std::vector<std::byte> expanded(const PackedMatrix& matrix) {
  const int64_t chunks = tensor::round_up(matrix.k, tensor::kChunk) / tensor::kChunk;
  const int64_t panels = tensor::round_up(matrix.n, tensor::kPanel) / tensor::kPanel;
  if (!matrix.coded()) return {matrix.data, matrix.data + matrix.bytes()};
  std::vector<std::byte> out(static_cast<size_t>(panels * chunks * 2048));
  for (int64_t panel = 0; panel < panels; panel++) {
    tensor::expand_chunks({matrix.data + panel * matrix.coded_panel_bytes, matrix.coded_panel_bytes,
                           chunks, 0, chunks, &out[static_cast<size_t>(panel * chunks * 2048)]});
  }
  return out;
}

TEST_F(CodedPackTest, ExpandsIntoTheBitsOfTheFolder) {
  const Model model;
  const auto report = convert(model);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_LT(report->file_bytes, report->plain_bytes + 8192);
  const auto pack = PackFile::open(real_env(), out(), "m.pack");
  ASSERT_TRUE(pack) << pack.error().message();
  EXPECT_EQ(pack->contents().layout, tensor::kCodedLayout);
  const auto plan = model::bind_pack(model.spec, *pack, WeightDtype::kAuto);
  ASSERT_TRUE(plan) << plan.error().message();
  device::CpuDevice device;
  const auto wanted = model::load_weights(device, model.spec, model.checkpoint, model.plan);
  const auto found = model::load_weights(device, model.spec, *pack, *plan);
  ASSERT_TRUE(wanted && found) << found.error().message();
  const auto same = [&](const PackedMatrix& a, const PackedMatrix& b, bool coded) {
    EXPECT_EQ(a.coded(), coded);
    EXPECT_EQ(expanded(a), expanded(b));
  };
  same(found->embedding, wanted->embedding, false);
  same(found->head, wanted->head, true);
  for (size_t layer = 0; layer < 2; layer++) {
    const model::LayerWeights &a = found->layers[layer], &b = wanted->layers[layer];
    same(a.q, b.q, true);
    same(a.k, b.k, false);
    same(a.o, b.o, true);
    same(a.gate, b.gate, true);
    same(a.up, b.up, true);
    same(a.down, b.down, true);
    EXPECT_EQ(std::memcmp(a.mlp_norm, b.mlp_norm, 64 * sizeof(float)), 0);
  }
}

// Loaded so, a pack's weights are byte for byte those of the folder, gaps included.
TEST_F(CodedPackTest, IsExpandedWhenItIsLoaded) {
  std::string config(kConfig);  // with matrices of more panels than are expanded at a time
  config.replace(config.find("96"), 2, "3200");
  const Model model(DType::kBF16, config);
  ASSERT_TRUE(convert(model));
  const auto pack = PackFile::open(real_env(), out(), "m.pack");
  ASSERT_TRUE(pack);
  const auto plan = model::bind_pack(model.spec, *pack, WeightDtype::kAuto);
  ASSERT_TRUE(plan);
  const model::WeightPlan packed = model::expanded_plan(*plan);
  EXPECT_FALSE(model::is_coded(packed));
  EXPECT_EQ(packed.memory_bytes, model.plan.memory_bytes);
  EXPECT_EQ(packed.read_bytes, plan->read_bytes);
  device::CpuDevice device;
  const auto wanted = model::load_weights(device, model.spec, model.checkpoint, model.plan);
  int64_t read = 0;
  const auto found =
      model::load_weights(device, model.spec, *pack, packed,
                          {.threads = 1, .progress = [&](int64_t done, int64_t) { read = done; }});
  ASSERT_TRUE(wanted && found) << found.error().message();
  EXPECT_EQ(std::memcmp(found->memory.data(), wanted->memory.data(),
                        static_cast<size_t>(packed.memory_bytes)),
            0);
  EXPECT_FALSE(found->layers[0].up.coded());
  EXPECT_EQ(read, plan->cut.bytes);
}

TEST_F(CodedPackTest, DamageIsFoundWhileItIsExpanded) {
  const Model model;
  ASSERT_TRUE(convert(model));
  std::string bytes = read(out());
  for (const size_t from_end : {size_t{1}, bytes.size() / 3, bytes.size() / 2}) {
    std::string damaged = bytes;
    damaged[bytes.size() - from_end] ^= 0x7f;
    const auto pack =
        PackFile::open(real_env(), folder_.put("damaged.pack", damaged), "damaged.pack");
    ASSERT_TRUE(pack);
    const auto plan = model::bind_pack(model.spec, *pack, WeightDtype::kAuto);
    ASSERT_TRUE(plan);
    device::CpuDevice device;
    const auto found = model::load_weights(device, model.spec, *pack, model::expanded_plan(*plan));
    ASSERT_FALSE(found) << from_end;
    EXPECT_NE(found.error().message().find("its checksum is wrong"), std::string::npos)
        << found.error().message();
  }
}

TEST_F(CodedPackTest, OtherTypesStayAsTheyAre) {
  for (const DType type : {DType::kF16, DType::kF32}) {
    std::filesystem::remove(out());
    const Model model(type);
    ASSERT_TRUE(convert(model));
    const auto pack = PackFile::open(real_env(), out(), "m.pack");
    ASSERT_TRUE(pack);
    EXPECT_EQ(pack->contents().layout, tensor::kPackedLayout);
    EXPECT_TRUE(model::bind_pack(model.spec, *pack, WeightDtype::kAuto));
  }
}

TEST_F(CodedPackTest, ACutPartIsGoneOnFromAndGivesTheSameBytes) {
  const Model model;
  ASSERT_TRUE(convert(model));
  const std::string whole = read(out());
  int64_t most_kept = 0;
  for (size_t size = 1000; size <= whole.size(); size += 2039) {
    std::filesystem::remove(out());
    folder_.put("m.pack.partial", whole.substr(0, size));
    const auto report = convert(model);
    ASSERT_TRUE(report) << size << report.error().message();
    EXPECT_EQ(read(out()), whole) << size;
    most_kept = std::max(most_kept, report->kept_bytes);
  }
  EXPECT_GT(most_kept, 0);
}

TEST_F(CodedPackTest, OneThatIsThereIsFoundAndNotTakenForAPlainOne) {
  const Model model;
  ASSERT_TRUE(convert(model));
  const auto again = convert(model);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->already_there);
  EXPECT_EQ(again->file_bytes, static_cast<int64_t>(read(out()).size()));
  const auto plain = convert(model, false);
  ASSERT_FALSE(plain);
  EXPECT_NE(plain.error().message().find("--compress"), std::string::npos)
      << plain.error().message();
}

TEST_F(CodedPackTest, LookingIsShownUpToTheEnd) {
  const Model model;
  int64_t last = 0;
  const auto report = convert_model(
      real_env(), model.source(),
      {.out = out(), .compress = true, .coding_progress = [&](int64_t done, int64_t total) {
         EXPECT_GT(done, last);
         EXPECT_EQ(total, model.plan.cut.bytes);
         last = done;
       }});
  ASSERT_TRUE(report);
  EXPECT_EQ(last, model.plan.cut.bytes);
}

TEST_F(CodedPackTest, SizesThatLieAreRefused) {
  const Model model;
  const struct {
    std::string_view what;
    std::function<void(checkpoint::PackContents&)> change;
  } cases[] = {
      {"a matrix without room for its codes",
       [](auto& c) { c.units[1].tensors[1].bytes = 64 * 2; }},
      {"coded panels in a pack of the plain layout",
       [](auto& c) {
         c.layout = tensor::kPackedLayout;
         c.units[1].tensors[1].bytes = 2 * tensor::coded_panel_bytes(64, 0);
       }},
      {"a coded embedding",
       [](auto& c) { c.units[0].tensors[0].bytes = 3 * tensor::coded_panel_bytes(64, 0); }},
  };
  for (const auto& c : cases) {
    checkpoint::PackContents contents = model::describe_pack(model.plan, 1);
    contents.layout = tensor::kCodedLayout;
    c.change(contents);
    const std::string bytes = testing::made_up_pack(contents);
    const auto pack = PackFile::open(real_env(), folder_.put("lie.pack", bytes), "lie.pack");
    ASSERT_TRUE(pack) << c.what << pack.error().message();
    const auto plan = model::bind_pack(model.spec, *pack, WeightDtype::kAuto);
    ASSERT_FALSE(plan) << c.what;
    EXPECT_EQ(plan.error().code, Code::kInvalidData) << c.what;
  }
}

}  // namespace
}  // namespace strata::convert
