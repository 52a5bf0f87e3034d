// The families of models by the way they write calls of functions: one table with what shows a
// family in a chat template, its parser, and its spelling for a grammar. A further family is a row.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string_view>

#include "frontend/tools/tool_parser.h"

namespace strata::frontend {

/// How a family writes calls where a grammar makes it: first, call, between, call, last; a call is
/// open, name, middle, arguments, close.
struct CallSpelling {
  std::string_view first = {};
  std::string_view between = {};
  std::string_view last = {};
  std::string_view open = R"({"name": ")";
  std::string_view middle = R"(", "arguments": )";
  std::string_view close = "}";
  bool several = true;  // its models may make more than one call
  bool python = false;  // arguments as f(a=1), not as an object
};

struct ToolFormat {
  std::string_view name;
  std::array<std::string_view, 2> signs;    // all of them are in the family's templates
  std::array<std::string_view, 2> strange;  // none of them is
  std::array<std::string_view, 2> marks;    // in answers; special tokens with some tokenizers
  std::unique_ptr<ToolParser> (*make_parser)();
  CallSpelling spelling;
  bool short_ids = false;  // ids of calls have nine letters and digits: templates demand it
};

/// In the order in which a template is held against them.
std::span<const ToolFormat> tool_formats();

}  // namespace strata::frontend
