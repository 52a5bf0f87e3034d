// The field list, then one reader for each thing that is more than a field of sampling.
#include "frontend/openai_request.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "frontend/dialects/body_fields.h"
#include "frontend/tools/chat_body.h"
#include "sched/types.h"

namespace strata::frontend {
namespace {

constexpr unsigned kChatOnly = 1, kCompletionOnly = 2, kBoth = 3;
constexpr int64_t kCompletionTokens = 16;  // OpenAI's default for completions
constexpr size_t kMaxPrompts = 4096;

constexpr BodyField kFields[] = {
    {"model"},
    {"messages", kChatOnly},
    {"prompt", kCompletionOnly},
    {"n"},
    {"max_tokens"},
    {"max_completion_tokens", kChatOnly},
    {"tools", kChatOnly},
    {"tool_choice", kChatOnly},
    {"parallel_tool_calls", kChatOnly},
    {"chat_template_kwargs", kChatOnly},
    {"logprobs"},
    {"top_logprobs", kChatOnly},
    {"priority"},
    {"cache_salt"},
    {"return_token_ids"},
    {"echo", kCompletionOnly},
    {"user", kBoth, Use::kInform},
    {"safety_identifier", kBoth, Use::kInform},
    {"metadata", kBoth, Use::kInform},
    {"store", kBoth, Use::kInform},
    {"service_tier", kBoth, Use::kInform},
    {"prompt_cache_key", kBoth, Use::kInform},
    {"prediction", kChatOnly, Use::kInform},
    {"stream", kBoth, Use::kStream, "[false]"},
    {"stream_options", kBoth, Use::kStream, "[]"},
    {"best_of", kCompletionOnly, Use::kOnly, "[1]"},
    {"suffix", kCompletionOnly, Use::kOnly, "[\"\"]"},
    {"functions", kChatOnly, Use::kOnly, "[[]]"},
    {"function_call", kChatOnly, Use::kOnly, "[\"none\", \"auto\"]"},
    {"modalities", kChatOnly, Use::kOnly, "[[\"text\"]]"},
    {"audio", kChatOnly, Use::kOnly, "[]"},
    {"web_search_options", kChatOnly, Use::kOnly, "[]"},
    {"reasoning_effort", kChatOnly, Use::kOnly, "[\"none\"]"},
    {"verbosity", kChatOnly, Use::kOnly, "[\"medium\"]"},
    {"use_beam_search", kBoth, Use::kOnly, "[false]"},
    {"length_penalty", kBoth, Use::kOnly, "[1]"},
    {"skip_special_tokens", kBoth, Use::kOnly, "[true]"},
    {"spaces_between_special_tokens", kBoth, Use::kOnly, "[true]"},
    {"truncate_prompt_tokens", kBoth, Use::kOnly, "[]"},
    {"add_special_tokens", kCompletionOnly, Use::kOnly, "[true]"},
    {"add_generation_prompt", kChatOnly, Use::kOnly, "[true]"},
    {"continue_final_message", kChatOnly, Use::kOnly, "[false]"},
    {"chat_template", kChatOnly, Use::kOnly, "[]"},
};

unsigned bit(ApiKind kind) { return kind == ApiKind::kChat ? kChatOnly : kCompletionOnly; }

bool is_limited(const BodyField& field, const ServedModel& model) {
  return field.use == Use::kOnly || (field.use == Use::kStream && !model.streams);
}

// Splits a body: what sampling reads, and the names of what nobody knows.
Result<Json> sampling_part(ApiKind kind, const Json& body, const ServedModel& model,
                           std::vector<std::string>& ignored) {
  Json fields = *model.field_defaults;
  for (const auto& [name, value] : body.items()) {
    const BodyField* field = find_field(kFields, name);
    const bool sampling = is_sampling_field(name);
    const bool other_kind = field != nullptr && (field->kinds & bit(kind)) == 0;
    if (other_kind || (field == nullptr && !sampling)) {
      ignored.push_back(name);
    } else if (field != nullptr && is_limited(*field, model) && !value.is_null()) {
      TRY(check_only(*field, value));
    } else if (sampling && !value.is_null()) {
      fields[name] = value;
    }
  }
  return fields;
}

// A chat says whether and how many, in two fields.
Result<void> read_chat_logprobs(const Json& body, Json& fields) {
  const auto wanted = TRY(optional_bool(body, "logprobs"));
  const auto top = TRY(optional_int(body, "top_logprobs", 0, sampling::kMaxLogprobs));
  if (top && !wanted.value_or(false)) {
    return fail(Code::kInvalidData, "top_logprobs", fmt::format("{}", *top), {},
                "it needs \"logprobs\": true");
  }
  if (wanted) fields["logprobs"] = *wanted ? Json(top.value_or(0)) : Json();
  return {};
}

Result<void> read_chat_tokens(const Json& body, Json& fields) {
  const Json* most = find_member(body, "max_completion_tokens");
  if (most == nullptr || most->is_null()) return {};
  const Json* old = find_member(body, "max_tokens");
  if (old != nullptr && !old->is_null() && *old != *most) {
    return fail(Code::kInvalidData, "max_completion_tokens", json_excerpt(*most),
                fmt::format("the same as max_tokens, {}", json_excerpt(*old)), "give one of them");
  }
  TRY(get_int(body, "max_completion_tokens", 1, 1 << 24));
  fields["max_tokens"] = *most;
  return {};
}

Result<std::vector<int32_t>> read_prompt_ids(const Json& list) {
  std::vector<int32_t> ids;
  for (const int64_t id : TRY(get_int_array(Json{{"prompt", list}}, "prompt", 0,
                                            std::numeric_limits<int32_t>::max()))) {
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

// A text, a list of texts, a list of ids, or a list of lists of ids.
Result<std::vector<std::vector<int32_t>>> read_prompts(const Json& body, const TextCodec& codec) {
  const Json* prompt = find_member(body, "prompt");
  const auto wrong = [&] {
    return fail(
        Code::kInvalidData, "prompt", prompt == nullptr ? "no such field" : json_excerpt(*prompt),
        fmt::format("a text, a list of token ids, or a list of up to {} of either", kMaxPrompts));
  };
  if (prompt == nullptr) return wrong();
  std::vector<std::vector<int32_t>> made;
  if (prompt->is_string()) {
    made.push_back(TRY(codec.encode(prompt->get_ref<const std::string&>())));
    return made;
  }
  if (!prompt->is_array() || prompt->empty()) return wrong();
  if (prompt->front().is_number()) {
    made.push_back(TRY(read_prompt_ids(*prompt)));
    return made;
  }
  if (prompt->size() > kMaxPrompts) return wrong();
  for (const Json& one : *prompt) {
    if (one.is_string()) {
      made.push_back(TRY(codec.encode(one.get_ref<const std::string&>())));
    } else if (one.is_array()) {
      made.push_back(TRY(read_prompt_ids(one)));
    } else {
      return wrong();
    }
  }
  return made;
}

// A chat goes on until it ends or the context is full, as its clients expect.
int64_t default_tokens(const ApiRequest& request, const ServedModel& model) {
  if (request.kind == ApiKind::kCompletion) return kCompletionTokens;
  const auto prompt = static_cast<int64_t>(request.prompts.front().size());
  return std::max<int64_t>(1, model.max_model_len - prompt);
}

Result<StreamOptions> read_stream(const Json& body) {
  StreamOptions made;
  made.wanted = TRY(optional_bool(body, "stream")).value_or(false);
  const Json* options = TRY(optional_object(body, "stream_options"));
  if (options == nullptr) return made;
  if (!made.wanted) {
    return fail(Code::kInvalidData, "stream_options", json_excerpt(*options), {},
                "it needs \"stream\": true");
  }
  made.usage = TRY(optional_bool(*options, "include_usage")).value_or(false);
  made.continuous_usage = TRY(optional_bool(*options, "continuous_usage_stats")).value_or(false);
  return made;
}

// What is known of the prompt's tokens comes too late for a piece of its own.
Result<void> check_stream(const ApiRequest& request) {
  if (!request.stream.wanted || !request.ask.params.prompt_logprobs) return {};
  return fail(Code::kUnsupported, request.ask.echo ? "echo" : "prompt_logprobs",
              "logprobs of the prompt in a stream", {}, "leave out \"stream\"");
}

Result<void> take_chat(ChatBody chat, ApiRequest& request) {
  request.prompts.push_back(std::move(chat.ids));
  request.format = chat.format;
  request.ask.shown_ids = std::move(chat.shown_ids);
  request.ignored.insert(request.ignored.end(), chat.ignored.begin(), chat.ignored.end());
  if (!chat.calls) return {};
  if (request.ask.params.grammar) {
    return fail(Code::kInvalidArgument, "tool_choice", "a call is asked for", {},
                "leave out response_format and structured_outputs");
  }
  request.ask.params.grammar = std::move(chat.calls);
  return {};
}

Result<void> check_model(const Json& body, const ServedModel& model) {
  const auto name = TRY(optional_string(body, "model"));
  if (!name || *name == model.name || model.any_name) return {};
  if (std::ranges::find(model.aliases, *name) != model.aliases.end()) return {};
  return fail(Code::kNotFound, "model", json_excerpt(*name), fmt::format("\"{}\"", model.name),
              "leave the field out, or name the model that is served");
}

}  // namespace

Result<ApiRequest> read_api_request(ApiKind kind, const Json& body, const ServedModel& model) {
  ApiRequest request{.kind = kind};
  TRY(check_model(body, model));
  Json fields = TRY(sampling_part(kind, body, model, request.ignored));
  request.n = TRY(optional_int(body, "n", 1, sched::kMaxSequencesOfRequest)).value_or(1);
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  request.priority =
      static_cast<int32_t>(TRY(optional_int(body, "priority", -kMost, kMost)).value_or(0));
  request.cache_salt = TRY(optional_string(body, "cache_salt")).value_or("");
  request.return_token_ids = TRY(optional_bool(body, "return_token_ids")).value_or(false);
  if (model.streams) request.stream = TRY(read_stream(body));
  if (kind == ApiKind::kChat) {
    TRY(read_chat_logprobs(body, fields));
    TRY(read_chat_tokens(body, fields));
    ChatBody chat = TRY(read_chat_body(body, *model.codec, model.dialog));
    request.ask = TRY(read_ask(fields, *model.codec, *model.defaults));
    TRY(take_chat(std::move(chat), request));
  } else {
    request.prompts = TRY(read_prompts(body, *model.codec));
    request.ask = TRY(read_ask(fields, *model.codec, *model.defaults));
  }
  if (!request.ask.max_tokens) request.ask.max_tokens = default_tokens(request, model);
  // An echoed prompt's tokens belong to the answer's.
  if (kind == ApiKind::kCompletion && request.ask.echo && request.ask.params.logprobs) {
    request.ask.params.prompt_logprobs = request.ask.params.logprobs;
  }
  TRY(check_stream(request));
  return request;
}

}  // namespace strata::frontend
