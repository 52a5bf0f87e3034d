// config.json as a whole: which family it is, what is refused before any family looks, and what all
// families share.
#include "model/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "model/config_reader.h"
#include "model/families/family.h"

namespace strata::model {
namespace {

constexpr std::string_view kFile = "config.json";
// Keys by which a folder asks for its own code to be run or for things to be fetched.
constexpr std::array kIgnoredKeys = {"auto_map",
                                     "trust_remote_code",
                                     "custom_pipelines",
                                     "_attn_implementation",
                                     "_attn_implementation_internal",
                                     "_attn_implementation_autoset"};

struct DTypeName {
  std::string_view name;
  tensor::DType dtype;
};

constexpr std::array kDTypeNames = {DTypeName{"float32", tensor::DType::kF32},
                                    DTypeName{"float16", tensor::DType::kF16},
                                    DTypeName{"bfloat16", tensor::DType::kBF16}};

std::unexpected<Status> unsupported_model(std::string_view type) {
  return fail(Code::kUnsupported,
              fmt::format("{}: model_type \"{}\" is not supported yet", kFile, type), {},
              fmt::format("one of {}", supported_families()),
              fmt::format("the nearest supported family is {}", nearest_family(type)));
}

Result<void> refuse_quantised(const ConfigReader& reader, std::string_view family) {
  for (const char* key : {"quantization_config", "compression_config"}) {
    const auto section = TRY(reader.nested(key));
    if (!section) continue;
    const std::string method = TRY(section->text("quant_method", "unknown"));
    return fail(Code::kUnsupported,
                fmt::format("{}: {}: quantised weights are not supported yet", kFile, key), method,
                "f32, f16 or bf16 weights", fmt::format("use the unquantised {} model", family));
  }
  return {};
}

const FamilyRow* find_family(std::string_view model_type) {
  const auto table = family_table();
  const auto row = std::ranges::find(table, model_type, &FamilyRow::model_type);
  return row == table.end() ? nullptr : &*row;
}

// A folder may hold a model for another task (a classifier, a reward model), which has no LM head.
Result<void> check_architecture(const FamilyRow& row, std::string_view architecture) {
  if (architecture.empty() || architecture == row.architecture) return {};
  return fail(Code::kUnsupported,
              fmt::format("{}: architectures is not supported yet for model_type \"{}\"", kFile,
                          row.model_type),
              std::string(architecture), std::string(row.architecture));
}

Result<const FamilyRow*> choose_family(const ConfigReader& reader, std::string_view architecture) {
  if (reader.has("model_type")) {
    const std::string type = TRY(reader.text("model_type", ""));
    const FamilyRow* row = find_family(type);
    if (row == nullptr) return unsupported_model(type);
    TRY(check_architecture(*row, architecture));
    return row;
  }
  for (const FamilyRow& row : family_table()) {
    if (row.architecture == architecture) return &row;
  }
  if (!architecture.empty()) return unsupported_model(architecture);
  return reader.bad("model_type", "nothing", fmt::format("one of {}", supported_families()));
}

Result<std::optional<tensor::DType>> read_dtype(const ConfigReader& reader) {
  const char* key = reader.has_value("dtype") ? "dtype" : "torch_dtype";
  if (!reader.has_value(key)) return std::nullopt;
  std::string name = TRY(reader.text(key, ""));
  if (name.starts_with("torch.")) name.erase(0, 6);
  for (const DTypeName& row : kDTypeNames) {
    if (row.name == name) return row.dtype;
  }
  return fail(Code::kUnsupported, fmt::format("{}: {} is not supported yet", kFile, key), name,
              "float32, float16 or bfloat16");
}

void warn_ignored(const ConfigReader& reader, std::vector<std::string>& warnings) {
  for (const char* key : kIgnoredKeys) {
    if (reader.has_value(key)) {
      warnings.push_back(
          fmt::format("{}: {} ignored: code named by a model folder is never run", kFile, key));
    }
  }
}

Result<void> read_ids(const ConfigReader& reader, ModelConfig& config) {
  config.eos_ids = TRY(reader.token_ids("eos_token_id", config.spec.vocab, config.warnings));
  const auto bos = TRY(reader.token_ids("bos_token_id", config.spec.vocab, config.warnings));
  if (!bos.empty()) config.bos_id = bos.front();
  return {};
}

}  // namespace

std::string supported_families() {
  std::vector<std::string_view> names;
  for (const FamilyRow& row : family_table()) names.push_back(row.model_type);
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<ModelConfig> parse_config(std::string_view text) {
  const Json document = TRY(parse_json(text, kFile));
  if (!document.is_object()) {
    return fail(Code::kInvalidData, std::string(kFile), json_excerpt(document), "a JSON object");
  }
  const ConfigReader reader(document, std::string(kFile));
  ModelConfig config;
  const auto architectures = TRY(reader.texts("architectures"));
  if (!architectures.empty()) config.architecture = architectures.front();
  const FamilyRow* row = TRY(choose_family(reader, config.architecture));
  config.spec.family = row->model_type;
  TRY(refuse_quantised(reader, row->model_type));
  TRY(row->read(reader, config));
  assign_kv_groups(config.spec);
  config.spec.tensors = make_tensor_table(config.spec);
  config.dtype = TRY(read_dtype(reader));
  TRY(read_ids(reader, config));
  warn_ignored(reader, config.warnings);
  return config;
}

}  // namespace strata::model
