// The table of supported families, and which of them an unsupported model resembles.
#include <array>

#include "model/families/family.h"

namespace strata::model {
namespace {

constexpr std::array kFamilies = {
    FamilyRow{"llama", "LlamaForCausalLM", read_llama},
    FamilyRow{"mistral", "MistralForCausalLM", read_mistral},
    FamilyRow{"qwen2", "Qwen2ForCausalLM", read_qwen2},
    FamilyRow{"qwen3", "Qwen3ForCausalLM", read_qwen3},
};

struct Resemblance {
  std::string_view prefix;
  std::string_view family;
};

constexpr std::array kResemblances = {
    Resemblance{"mixtral", "mistral"}, Resemblance{"ministral", "mistral"},
    Resemblance{"mistral", "mistral"}, Resemblance{"pixtral", "mistral"},
    Resemblance{"qwen3", "qwen3"},     Resemblance{"qwen", "qwen2"},
};

}  // namespace

std::span<const FamilyRow> family_table() { return kFamilies; }

std::string_view nearest_family(std::string_view model_type) {
  for (const Resemblance& row : kResemblances) {
    if (model_type.starts_with(row.prefix)) return row.family;
  }
  return "llama";
}

}  // namespace strata::model
