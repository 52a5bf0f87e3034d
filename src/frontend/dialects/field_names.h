// Names of fields in messages about bodies of other APIs: such a body is read as a chat, and what
// is said of the chat's fields must name the fields that the client sent.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace strata::frontend {

struct FieldName {
  std::string_view chat;
  std::string_view own;
};

/// `what` of a Status, with the first row's own name where it begins with the chat's.
std::string rename_field(std::string what, std::span<const FieldName> names);

/// "tools[2].function.parameters.x" as "tools[2].`schema`.x": their tools have no "function".
std::string rename_tool_field(std::string what, std::string_view schema);

}  // namespace strata::frontend
