// The table of model families: one row each, one file each (CONTRIBUTING: "adding a family"). A row
// says by which names a config.json announces the family and which function reads it.
#pragma once

#include <span>
#include <string_view>

#include "base/status.h"
#include "model/config.h"
#include "model/config_reader.h"

namespace strata::model {

struct FamilyRow {
  std::string_view model_type;    // config.json's model_type
  std::string_view architecture;  // config.json's architectures[0]
  /// Fills config.spec (all but `tensors` and KV groups, which follow from the rest) and may add
  /// warnings.
  Result<void> (*read)(const ConfigReader& reader, ModelConfig& config);
};

std::span<const FamilyRow> family_table();

/// The supported family that an unknown model_type resembles most, for messages.
std::string_view nearest_family(std::string_view model_type);

Result<void> read_llama(const ConfigReader& reader, ModelConfig& config);
Result<void> read_mistral(const ConfigReader& reader, ModelConfig& config);
Result<void> read_qwen2(const ConfigReader& reader, ModelConfig& config);
Result<void> read_qwen3(const ConfigReader& reader, ModelConfig& config);

}  // namespace strata::model
