// Names end where a path, an index or a sentence goes on.
#include "frontend/dialects/field_names.h"

namespace strata::frontend {
namespace {

void replace_first(std::string& text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
}

bool begins_with_field(std::string_view what, std::string_view name) {
  if (!what.starts_with(name)) return false;
  return what.size() == name.size() || std::string_view(":[. ").contains(what[name.size()]);
}

}  // namespace

std::string rename_field(std::string what, std::span<const FieldName> names) {
  for (const FieldName& name : names) {
    if (!begins_with_field(what, name.chat)) continue;
    what.replace(0, name.chat.size(), name.own);
    break;
  }
  return what;
}

std::string rename_tool_field(std::string what, std::string_view schema) {
  if (!begins_with_field(what, "tools") && !begins_with_field(what, "tool_choice")) return what;
  replace_first(what, "function.parameters", schema);
  replace_first(what, "function.", "");
  replace_first(what, "function: ", "");
  return what;
}

}  // namespace strata::frontend
