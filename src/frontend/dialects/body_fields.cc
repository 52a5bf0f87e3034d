// One pass over a body's names.
#include "frontend/dialects/body_fields.h"

#include <fmt/core.h>

#include <algorithm>

namespace strata::frontend {
namespace {

constexpr const char* kVariables = "chat_template_kwargs";
constexpr const char* kThinks = "enable_thinking";

constexpr std::string_view kOfAllBodies[] = {
    "model",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "ignore_eos",
    "min_tokens",
    "repetition_penalty",
    "priority",
    "cache_salt",
    "presence_penalty",
    "frequency_penalty",
    kVariables,
};

}  // namespace

const BodyField* find_field(std::span<const BodyField> fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &BodyField::name);
  return found == fields.end() ? nullptr : &*found;
}

Result<void> check_only(const BodyField& field, const Json& value) {
  const Json allowed = TRY(parse_json(field.only, field.name));
  if (std::ranges::find(allowed, value) != allowed.end()) return {};
  std::string expected;
  for (const Json& one : allowed) {
    expected += fmt::format("{}{}", expected.empty() ? "" : " or ", one.dump());
  }
  return fail(Code::kUnsupported, std::string(field.name), json_excerpt(value),
              expected.empty() ? "no such field" : expected, "not supported yet");
}

Result<SortedBody> sort_body(const Json& body, std::span<const BodyField> fields) {
  SortedBody made;
  for (const auto& [name, value] : body.items()) {
    const BodyField* field = find_field(fields, name);
    const bool passes = std::ranges::find(kOfAllBodies, name) != std::end(kOfAllBodies);
    if (field == nullptr && passes) {
      if (!value.is_null()) made.chat[name] = value;
    } else if (field == nullptr) {
      made.ignored.push_back(name);
    } else if (value.is_null()) {
      continue;
    } else if (field->use == Use::kOnly) {
      TRY(check_only(*field, value));
    } else if (field->use == Use::kPass) {
      made.chat[name] = value;
    }
  }
  return made;
}

Result<void> set_thinking(const Json& body, bool thinks, SortedBody& made) {
  TRY(optional_object(body, kVariables));
  Json& variables = made.chat[kVariables];
  if (!variables.contains(kThinks)) variables[kThinks] = thinks;
  return {};
}

bool is_set_thinking(const Json& body, std::string_view ignored) {
  return find_member(body, kVariables) == nullptr && ignored.ends_with(kThinks);
}

}  // namespace strata::frontend
