// Rules as text, schemas beside them.
#include "frontend/tools/tool_grammar.h"

#include <fmt/core.h>

#include <algorithm>

namespace strata::frontend {
namespace {

// Keywords of a function's parameters that a list of named arguments can obey, or that say nothing.
constexpr std::string_view kPythonKeywords[] = {
    "type",  "properties",  "required", "additionalProperties", "$defs", "definitions",
    "title", "description", "$schema"};

bool is_identifier(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && (name[0] < '0' || name[0] > '9') && std::ranges::all_of(name, fits);
}

class GrammarWriter {
 public:
  GrammarWriter(const ToolAsk& ask, const AnswerFormat& format, const TextCodec& codec)
      : ask_(ask), format_(format), spelling_(format.tools->spelling), codec_(codec) {}

  Result<text::Grammar> write() {
    const bool several = spelling_.several && ask_.parallel && !ask_.named;
    const std::string start = add_thoughts();
    std::string calls = literal(spelling_.first) + " call ";
    if (several) calls += fmt::format("({} call)* ", literal(spelling_.between));
    rules_ += fmt::format("start: {} {} {}\n", start, calls, literal(spelling_.last));
    std::string any = "call:";
    for (const size_t tool : ask_.must) {
      any += fmt::format("{} call_{}", tool == ask_.must.front() ? "" : " |", tool);
      TRY(add_call(tool));
    }
    rules_ += any + "\n";
    const Json source = {{"lark", rules_}, {"schemas", schemas_}};
    return codec_.compile(text::GrammarKind::kLarkWithSchemas, source.dump());
  }

 private:
  // A mark that is a special token has no bytes: it stands for itself.
  std::string literal(std::string_view text) const {
    if (text.empty()) return "\"\"";
    std::vector<std::string_view> marks(format_.tools->marks.begin(), format_.tools->marks.end());
    if (format_.reasoning != nullptr) {
      marks.push_back(format_.reasoning->open);
      marks.push_back(format_.reasoning->close);
    }
    for (const std::string_view mark : marks) {
      const size_t at = mark.empty() ? std::string_view::npos : text.find(mark);
      const auto id = codec_.special_id(mark);
      if (at == std::string_view::npos || !id) continue;
      return fmt::format("{} <[{}]> {}", literal(text.substr(0, at)), *id,
                         literal(text.substr(at + mark.size())));
    }
    return Json(text).dump();
  }

  std::string add_thoughts() {
    if (format_.reasoning == nullptr) return "";
    const ReasoningFormat& tags = *format_.reasoning;
    const bool special = codec_.special_id(tags.close).has_value();
    rules_ +=
        fmt::format("thought{}: /(?s:.*)/ {}\n", special ? "" : "[lazy]", literal(tags.close));
    rules_ += "blanks: /[ \\n]{1,8}/\n";
    if (format_.reasoning_open) return "thought blanks?";
    return fmt::format("({} thought blanks?)?", literal(tags.open));
  }

  const Json& function(size_t tool) const { return ask_.tools[tool]["function"]; }
  static std::string place(size_t tool) {
    return fmt::format("tools[{}].function.parameters", tool);
  }

  std::string add_schema(const std::string& where, Json schema) {
    schemas_.push_back({where, std::move(schema)});
    return fmt::format("schema_{}", schemas_.size() - 1);
  }

  Result<void> add_call(size_t tool) {
    const auto& name = function(tool)["name"].get_ref<const std::string&>();
    const Json& parameters = function(tool)["parameters"];
    const std::string arguments = spelling_.python
                                      ? TRY(add_named_arguments(tool, name, parameters))
                                      : add_schema(place(tool), with_object_type(parameters));
    const std::string head = fmt::format("{}{}{}", spelling_.open, name, spelling_.middle);
    rules_ += fmt::format("call_{}: {} {} {}\n", tool, literal(head), arguments,
                          literal(spelling_.close));
    return {};
  }

  // Arguments are an object's, whether or not the schema says so.
  static Json with_object_type(Json parameters) {
    if (!parameters.contains("type")) parameters["type"] = "object";
    return parameters;
  }

  Result<void> check_python(size_t tool, const std::string& name, const Json& parameters) const {
    if (!is_identifier(name)) {
      return fail(Code::kUnsupported, fmt::format("tools[{}].function.name", tool),
                  json_excerpt(name), "letters, digits and \"_\" with this model");
    }
    for (const auto& [keyword, value] : parameters.items()) {
      if (std::ranges::find(kPythonKeywords, keyword) != std::end(kPythonKeywords)) continue;
      return fail(Code::kUnsupported, place(tool), fmt::format("\"{}\"", keyword),
                  "properties and which of them are required, with this model");
    }
    return {};
  }

  // Two rules for each place in the list: behind no argument yet, and behind one.
  Result<std::string> add_named_arguments(size_t tool, const std::string& name,
                                          const Json& parameters) {
    TRY(check_python(tool, name, parameters));
    const auto required = TRY(in_file(place(tool), optional_string_array(parameters, "required")))
                              .value_or(std::vector<std::string>());
    const Json* properties = TRY(in_file(place(tool), optional_object(parameters, "properties")));
    size_t at = 0;
    const auto rule = [&](const char* what, size_t place) {
      return fmt::format("{}_{}_{}", what, tool, place);
    };
    const Json none = Json::object();
    for (const auto& [key, schema] : (properties == nullptr ? none : *properties).items()) {
      if (!is_identifier(key)) {
        return fail(Code::kUnsupported, place(tool), json_excerpt(key),
                    "names of letters, digits and \"_\" with this model");
      }
      const std::string value = add_schema(fmt::format("{}.properties.{}", place(tool), key),
                                           with_definitions(schema, parameters));
      const bool must = std::ranges::find(required, key) != required.end();
      const std::string one = fmt::format("{} {}", Json(key + "=").dump(), value);
      const std::string next = rule("more", at + 1);
      rules_ += fmt::format("{}: {} {}{}\n", rule("args", at), one, next,
                            must ? "" : " | " + rule("args", at + 1));
      rules_ += fmt::format("{}: \", \" {} {}{}\n", rule("more", at), one, next,
                            must ? "" : " | " + next);
      at++;
    }
    rules_ += fmt::format("{}: \"\"\n{}: \"\"\n", rule("args", at), rule("more", at));
    return rule("args", 0);
  }

  // References in a property are into the whole.
  static Json with_definitions(Json schema, const Json& parameters) {
    for (const char* name : {"$defs", "definitions"}) {
      const Json* definitions = find_member(parameters, name);
      if (definitions != nullptr && schema.is_object()) schema[name] = *definitions;
    }
    return schema;
  }

  const ToolAsk& ask_;
  const AnswerFormat& format_;
  const CallSpelling& spelling_;
  const TextCodec& codec_;
  std::string rules_;
  Json schemas_ = Json::array();
};

}  // namespace

Result<text::Grammar> call_grammar(const ToolAsk& ask, const AnswerFormat& format,
                                   const TextCodec& codec) {
  return GrammarWriter(ask, format, codec).write();
}

}  // namespace strata::frontend
