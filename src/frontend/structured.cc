// Each form becomes a kind of grammar and its source, then one call compiles it.
#include "frontend/structured.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

namespace strata::frontend {
namespace {

using text::GrammarKind;

constexpr size_t kMaxName = 64;

struct Wanted {
  GrammarKind kind = GrammarKind::kJsonObject;
  std::string source = {};
  std::string field = {};  // what to name in errors
};

struct Form {
  std::string_view member;
  GrammarKind kind;
};

constexpr Form kForms[] = {{"json", GrammarKind::kJsonSchema},
                           {"regex", GrammarKind::kRegex},
                           {"choice", GrammarKind::kChoice},
                           {"grammar", GrammarKind::kLark},
                           {"json_object", GrammarKind::kJsonObject}};

std::unexpected<Status> wrong(std::string what, std::string got, std::string expected) {
  return fail(Code::kInvalidData, std::move(what), std::move(got), std::move(expected));
}

Result<std::string> source_of(const Form& form, const Json& value, const std::string& field) {
  switch (form.kind) {
    case GrammarKind::kJsonSchema:
      if (value.is_string()) return value.get<std::string>();
      if (value.is_object() || value.is_boolean()) return value.dump();
      return wrong(field, json_excerpt(value), "a JSON schema, or its text");
    case GrammarKind::kChoice:
      if (value.is_array()) return value.dump();
      return wrong(field, json_excerpt(value), "a list of texts");
    case GrammarKind::kJsonObject:
      if (value.is_boolean() && value.get<bool>()) return std::string();
      return wrong(field, json_excerpt(value), "true");
    default:
      if (value.is_string()) return value.get<std::string>();
      return wrong(field, json_excerpt(value), "a text");
  }
}

Result<std::optional<Wanted>> read_structured_outputs(const Json& fields) {
  const Json* object = TRY(optional_object(fields, kStructuredOutputs));
  if (object == nullptr) return std::nullopt;
  std::optional<Wanted> wanted;
  for (const auto& [key, value] : object->items()) {
    if (value.is_null()) continue;
    const std::string field = fmt::format("{}.{}", kStructuredOutputs, key);
    const auto* form = std::ranges::find(kForms, std::string_view(key), &Form::member);
    if (form == std::end(kForms)) {
      return fail(Code::kUnsupported, field, {},
                  "one of json, regex, choice, grammar, json_object");
    }
    if (wanted) return wrong(field, fmt::format("beside {}", wanted->field), "one of them");
    wanted = Wanted{form->kind, TRY(source_of(*form, value, field)), field};
  }
  if (wanted) return wanted;
  return wrong(std::string(kStructuredOutputs), "nothing in it",
               "one of json, regex, choice, grammar, json_object");
}

bool is_name(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, fits);
}

Result<Wanted> read_json_schema(const Json& format) {
  const Json* object = TRY(get_object(format, "json_schema"));
  const std::string name = TRY(get_string(*object, "name"));
  if (!is_name(name)) {
    return wrong("name", fmt::format("\"{}\"", name), "1 to 64 letters, digits, \"_\" or \"-\"");
  }
  TRY(optional_bool(*object, "strict"));  // always strict: nothing else is weaker
  const Json* schema = TRY(get_object(*object, "schema"));
  return Wanted{GrammarKind::kJsonSchema, schema->dump(),
                fmt::format("{}.json_schema.schema", kResponseFormat)};
}

Result<std::optional<Wanted>> read_response_format(const Json& fields) {
  const Json* format = TRY(optional_object(fields, kResponseFormat));
  if (format == nullptr) return std::nullopt;
  const std::string type = TRY(in_file(kResponseFormat, get_string(*format, "type")));
  if (type == "text") return std::nullopt;
  if (type == "json_object") {
    return Wanted{GrammarKind::kJsonObject, {}, std::string(kResponseFormat)};
  }
  if (type == "json_schema") return TRY(in_file(kResponseFormat, read_json_schema(*format)));
  return fail(Code::kUnsupported, fmt::format("{}.type", kResponseFormat),
              fmt::format("\"{}\"", type), "text, json_object or json_schema");
}

}  // namespace

Result<std::optional<text::Grammar>> read_grammar(const Json& fields, const TextCodec& codec) {
  std::optional<Wanted> wanted = TRY(read_structured_outputs(fields));
  std::optional<Wanted> format = TRY(read_response_format(fields));
  if (wanted && format) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} and {}", kStructuredOutputs, kResponseFormat), "both",
                "one of them");
  }
  if (!wanted) wanted = std::move(format);
  if (!wanted) return std::nullopt;
  return TRY(in_file(wanted->field, codec.compile(wanted->kind, wanted->source)));
}

}  // namespace strata::frontend
