// Rows, and a maker of parsers for each.
#include "frontend/tools/tool_formats.h"

#include "frontend/tools/json_calls.h"
#include "frontend/tools/python_calls.h"

namespace strata::frontend {
namespace {

constexpr JsonShape kTagged = {.begin = "<tool_call>", .end = "</tool_call>"};
constexpr JsonShape kLlama = {
    .begin = "<|python_tag|>", .bare = true, .needs_arguments = true, .separator = ";"};
constexpr JsonShape kMistral = {.begin = "[TOOL_CALLS]", .list = true};

template <const JsonShape& kShape>
std::unique_ptr<ToolParser> make_json() {
  return std::make_unique<JsonToolParser>(kShape);
}

std::unique_ptr<ToolParser> make_python() { return std::make_unique<PythonToolParser>(); }

constexpr CallSpelling kPebbleSpelling = {
    .open = R"(<tool_call>{"name": ")", .close = "}</tool_call>", .several = true};

constexpr ToolFormat kFormats[] = {
    {.name = "pebble",
     .signs = {"<|tools|>", "<tool_call>"},
     .strange = {},
     .marks = {"<tool_call>", "</tool_call>"},
     .make_parser = make_json<kTagged>,
     .spelling = kPebbleSpelling},
    {.name = "hermes",
     .signs = {"<tool_call>", "</tool_call>"},
     .strange = {"<function=", "<arg_key>"},
     .marks = {"<tool_call>", "</tool_call>"},
     .make_parser = make_json<kTagged>,
     .spelling = {.between = "\n",
                  .open = "<tool_call>\n{\"name\": \"",
                  .close = "}\n</tool_call>"}},
    {.name = "mistral",
     .signs = {"[TOOL_CALLS]", "[AVAILABLE_TOOLS]"},
     .strange = {"[ARGS]", "[CALL_ID]"},
     .marks = {"[TOOL_CALLS]", {}},
     .make_parser = make_json<kMistral>,
     .spelling = {.first = "[TOOL_CALLS][", .between = ", ", .last = "]"},
     .short_ids = true},
    {.name = "pythonic",
     .signs = {"func_name1(", "func_name2("},
     .strange = {},
     .marks = {},
     .make_parser = make_python,
     .spelling = {.first = "[",
                  .between = ", ",
                  .last = "]",
                  .open = {},
                  .middle = "(",
                  .close = ")",
                  .python = true}},
    {.name = "llama3-json",
     .signs = {"<|start_header_id|>", "\"parameters\": "},
     .strange = {},
     .marks = {"<|python_tag|>", {}},
     .make_parser = make_json<kLlama>,
     .spelling = {.middle = R"(", "parameters": )", .several = false}},
};

}  // namespace

std::span<const ToolFormat> tool_formats() { return kFormats; }

}  // namespace strata::frontend
