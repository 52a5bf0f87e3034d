// One pass over a body's names.
#include "frontend/dialects/body_fields.h"

#include <fmt/core.h>

#include <algorithm>

namespace strata::frontend {

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
    if (field == nullptr) {
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

}  // namespace strata::frontend
