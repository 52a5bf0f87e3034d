// For the tests of APIs that are read as chats: a model that shows what its template was given, and
// streams cut as one likes and put together again.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/dialects/stream_writer.h"
#include "frontend/openai_request.h"
#include "text/test_support.h"

namespace strata::frontend::testing {

inline constexpr const char* kTemplate =
    "{% if tools %}T{{ tools | tojson }}{% endif %}{% for m in messages %}[{{ m.role }}]"
    "{% if m.reasoning_content %}({{ m.reasoning_content }}){% endif %}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}!{{ c.function.name }}{{ c.function.arguments | tojson }}"
    "{% endfor %}{% endfor %}"
    "{% if enable_thinking is defined and not enable_thinking %}-{% endif %}";

inline TextCodec codec_of(const char* chat_template) {
  checkpoint::ModelDocuments documents;
  documents.tokenizer = text::byte_level_json();
  documents.chat_templates = {{.name = "default", .text = chat_template, .origin = "test"}};
  return TextCodec::create(documents, 320).value();
}

/// With kTemplate.
inline const TextCodec& codec() {
  static const TextCodec kMade = codec_of(kTemplate);
  return kMade;
}

/// How the model calls its tools.
inline const ToolFormat* hermes() {
  return &*std::ranges::find(tool_formats(), "hermes", &ToolFormat::name);
}

class DialectTest : public ::testing::Test {
 protected:
  ServedModel served(const TextCodec& by = codec()) const {
    return {.codec = &by,
            .defaults = &defaults_,
            .field_defaults = &fields_,
            .name = "m",
            .max_model_len = 4000,
            .streams = true,
            .dialog = {.tools = hermes()}};
  }

 private:
  model::GenerationDefaults defaults_;
  Json fields_ = Json::object();
};

/// What `writer` writes of an answer that comes in pieces of `cut` bytes, then `last`.
inline std::string written(StreamWriter& writer, const std::string& text, size_t cut,
                           const StreamPiece& last) {
  std::string events = writer.start().value();
  for (size_t at = 0; at < text.size(); at += cut) {
    events += writer.piece({.token = 65, .text = text.substr(at, cut)}).value();
  }
  events += writer.piece(last).value();
  return events + writer.end();
}

/// The data of each event, whose name is its `type`.
inline std::vector<Json> events_of(std::string stream) {
  std::vector<Json> events;
  for (size_t end = stream.find("\n\n"); end != std::string::npos; end = stream.find("\n\n")) {
    const std::string event = stream.substr(0, end);
    stream.erase(0, end + 2);
    const size_t line = event.find("\ndata: ");
    events.push_back(Json::parse(event.substr(line + 7)));
    EXPECT_EQ(event.substr(0, line), "event: " + events.back()["type"].get<std::string>());
  }
  EXPECT_EQ(stream, "");
  return events;
}

}  // namespace strata::frontend::testing
