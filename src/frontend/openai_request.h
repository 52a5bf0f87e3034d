// A body of OpenAI's chat or completions API as one typed request, ready for the engine. Where the
// field list of these APIs lives: what is read, what is passed on to sampling_fields.h, what is
// understood and refused. Answers are written by openai_response.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "frontend/sampling_fields.h"
#include "frontend/text_codec.h"
#include "frontend/tools/dialog.h"
#include "model/config.h"

namespace strata::frontend {

enum class ApiKind : uint8_t { kChat, kCompletion };

/// What reading a body needs to know of the model that is served.
struct ServedModel {
  const TextCodec* codec = nullptr;
  const model::GenerationDefaults* defaults = nullptr;
  /// Fields as a body has them, for bodies that leave them out.
  const Json* field_defaults = nullptr;
  std::string name;
  std::vector<std::string> aliases = {};  // names that a body may use besides
  bool any_name = false;                  // a body may call the model what it likes
  int64_t max_model_len = 0;
  bool streams = false;  // bodies may ask for their answers piece by piece
  Dialog dialog = {};    // how the model thinks and calls
};

/// How an answer goes out.
struct StreamOptions {
  bool wanted = false;            // piece by piece, as it is made
  bool usage = false;             // counts in a last piece
  bool continuous_usage = false;  // and in every other
};

struct ApiRequest {
  ApiKind kind = ApiKind::kChat;
  std::vector<std::vector<int32_t>> prompts = {};  // token ids; one for a chat
  Ask ask = {};
  int64_t n = 1;  // answers to each prompt
  int32_t priority = 0;
  std::string cache_salt = {};
  std::optional<int64_t> received_ns = {};  // by Env's clock; empty: when it is submitted
  bool return_token_ids = false;
  StreamOptions stream = {};
  AnswerFormat format = {};               // of a chat's answers
  std::vector<std::string> ignored = {};  // fields that are not known here
  Json echoed = {};            // members of the response that repeat the request; null for none
  bool fills_context = false;  // max_tokens is what the context leaves, and less than was asked for
};

/// kInvalidData or kUnsupported naming the field; kInvalidArgument for a prompt that is too long.
Result<ApiRequest> read_api_request(ApiKind kind, const Json& body, const ServedModel& model);

}  // namespace strata::frontend
