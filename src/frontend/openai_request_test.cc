// What bodies leave out, what they may not say, and what is passed on.
#include "frontend/openai_request.h"

#include <gtest/gtest.h>

#include "frontend/api_error.h"
#include "text/test_support.h"

namespace strata::frontend {
namespace {

class OpenAiRequest : public testing::Test {
 protected:
  OpenAiRequest() {
    checkpoint::ModelDocuments documents;
    documents.tokenizer = text::byte_level_json();
    documents.chat_templates = {{.name = "default",
                                 .text = "{% for m in messages %}{{ m.content }}{% endfor %}",
                                 .origin = "test"}};
    codec_ = TextCodec::create(documents, 320).value();
    model_ = {.codec = &*codec_,
              .defaults = &defaults_,
              .field_defaults = &fields_,
              .name = "m",
              .max_model_len = 100};
  }
  Result<ApiRequest> read(ApiKind kind, const std::string& body) const {
    return read_api_request(kind, parse_json(body, "test").value(), model_);
  }
  ApiRequest chat(const std::string& more) const {
    return read(ApiKind::kChat,
                R"({"messages": [{"role": "user", "content": "hello"}])" + more + "}")
        .value();
  }
  ApiRequest completion(const std::string& more) const {
    return read(ApiKind::kCompletion, R"({"prompt": "hello")" + more + "}").value();
  }

  std::optional<TextCodec> codec_;
  model::GenerationDefaults defaults_;
  Json fields_ = Json::object();
  ServedModel model_;
};

TEST_F(OpenAiRequest, BodiesThatLeaveThingsOutGetOpenAiDefaults) {
  const ApiRequest asked = chat("");
  EXPECT_EQ(asked.ask.max_tokens, 100 - static_cast<int64_t>(asked.prompts[0].size()))
      << "a chat may fill the context";
  EXPECT_EQ(asked.n, 1);
  EXPECT_EQ(completion("").ask.max_tokens, 16);
  EXPECT_EQ(
      completion(R"(, "max_tokens": null, "temperature": null, "tools": null)").ask.max_tokens, 16)
      << "null means nothing";
}

TEST_F(OpenAiRequest, FieldsOfBothApisReachSampling) {
  const ApiRequest asked = chat(
      R"(, "max_completion_tokens": 7, "n": 128, "temperature": 0.5, "top_k": 3, "priority": -2,
      "cache_salt": "s", "logprobs": true, "top_logprobs": 4, "user": "ann")");
  EXPECT_EQ(asked.ask.max_tokens, 7);
  EXPECT_EQ(asked.n, 128);
  EXPECT_EQ(asked.ask.params.temperature, 0.5);
  EXPECT_EQ(asked.ask.params.top_k, 3);
  EXPECT_EQ(asked.priority, -2);
  EXPECT_EQ(asked.cache_salt, "s");
  EXPECT_EQ(asked.ask.params.logprobs, 4);
  EXPECT_TRUE(asked.ignored.empty());
  EXPECT_FALSE(chat(R"(, "logprobs": false)").ask.params.logprobs);
  EXPECT_EQ(chat(R"(, "logprobs": true)").ask.params.logprobs, 0);
  const ApiRequest echoed = completion(R"(, "logprobs": 2, "echo": true)");
  EXPECT_EQ(echoed.ask.params.prompt_logprobs, 2) << "echoed tokens have logprobs too";
}

TEST_F(OpenAiRequest, FormsOfAnswersBecomeGrammars) {
  EXPECT_FALSE(chat(R"(, "response_format": {"type": "text"})").ask.params.grammar);
  EXPECT_TRUE(chat(R"(, "response_format": {"type": "json_schema", "json_schema": {"name": "x",
      "schema": {"type": "boolean"}}})")
                  .ask.params.grammar);
  EXPECT_TRUE(completion(R"(, "structured_outputs": {"regex": "a+"})").ask.params.grammar);
  const auto bad = read(ApiKind::kCompletion,
                        R"({"prompt": "a", "response_format": {"type": "json_schema",
      "json_schema": {"name": "x", "schema": {"not": {}}}}})");
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message().find("response_format.json_schema.schema"), std::string::npos);
}

TEST_F(OpenAiRequest, FlagsAreDefaultsOfFields) {
  fields_ = {{"temperature", 0.25}, {"max_tokens", 3}, {"logprobs", 1}};
  EXPECT_EQ(chat("").ask.params.temperature, 0.25);
  EXPECT_EQ(chat("").ask.max_tokens, 3);
  EXPECT_EQ(chat("").ask.params.logprobs, 1);
  EXPECT_EQ(chat(R"(, "temperature": 2)").ask.params.temperature, 2);
}

TEST_F(OpenAiRequest, PromptsComeInFourForms) {
  EXPECT_EQ(completion("").prompts.size(), 1u);
  const auto forms = [&](const std::string& prompt) {
    return read(ApiKind::kCompletion, R"({"prompt": )" + prompt + "}").value().prompts;
  };
  EXPECT_EQ(forms("[5, 6]"), (std::vector<std::vector<int32_t>>{{5, 6}}));
  EXPECT_EQ(forms("[[5], [6, 7]]"), (std::vector<std::vector<int32_t>>{{5}, {6, 7}}));
  EXPECT_EQ(forms(R"(["hello", "hello"])").size(), 2u);
  EXPECT_EQ(forms(R"(["hello", [5]])")[1], std::vector<int32_t>{5});
}

TEST_F(OpenAiRequest, UnknownFieldsAreListedAndThoseOfTheOtherApiToo) {
  EXPECT_EQ(chat(R"(, "foo": 1, "suffix": "x", "top_k": 1)").ignored,
            (std::vector<std::string>{"foo", "suffix"}));
}

TEST_F(OpenAiRequest, WhatIsUnderstoodAndNotSupportedIsRefusedByName) {
  for (const char* more :
       {R"("stream": true)", R"("tools": [{"type": "function", "function": {"name": "f"}}])",
        R"("functions": [{}])", R"("modalities": ["text", "audio"])",
        R"("reasoning_effort": "high")", R"("skip_special_tokens": false)",
        R"("truncate_prompt_tokens": 5)", R"("use_beam_search": true)",
        R"("stream_options": {"include_usage": true})"}) {
    const auto made =
        read(ApiKind::kChat,
             R"({"messages": [{"role": "user", "content": "hello"}], )" + std::string(more) + "}");
    ASSERT_FALSE(made) << more;
    EXPECT_EQ(made.error().code, Code::kUnsupported);
    const std::string name = std::string(more).substr(1, std::string(more).find('"', 1) - 1);
    EXPECT_EQ(error_body(made.error())["error"]["param"], name);
  }
}

TEST_F(OpenAiRequest, MistakesNameTheirField) {
  const std::vector<std::pair<const char*, const char*>> bad = {
      {R"("n": 0)", "n"},
      {R"("n": 129)", "n"},
      {R"("n": 1.5)", "n"},
      {R"("top_logprobs": 21, "logprobs": true)", "top_logprobs"},
      {R"("top_logprobs": 2)", "top_logprobs"},
      {R"("logprobs": 5)", "logprobs"},
      {R"("max_tokens": 0)", "max_tokens"},
      {R"("max_completion_tokens": 0)", "max_completion_tokens"},
      {R"("max_tokens": 1, "max_completion_tokens": 2)", "max_completion_tokens"},
      {R"("priority": "high")", "priority"},
      {R"("cache_salt": 5)", "cache_salt"},
      {R"("logit_bias": [1])", "logit_bias"},
      {R"("stop": 5)", "stop"},
      {R"("model": "other")", "model"},
      {R"("tools": [{"type": "function"}])", "tools"},
      {R"("tool_choice": "required")", "tool_choice"},
  };
  for (const auto& [more, param] : bad) {
    const auto made =
        read(ApiKind::kChat,
             R"({"messages": [{"role": "user", "content": "hello"}], )" + std::string(more) + "}");
    ASSERT_FALSE(made) << more;
    EXPECT_EQ(error_body(made.error())["error"]["param"], param) << made.error().message();
  }
  for (const char* body : {"{}", R"({"prompt": []})", R"({"prompt": 5})", R"({"prompt": [-1]})",
                           R"({"prompt": [1, "a"]})", R"({"prompt": [{}]})"}) {
    const auto made = read(ApiKind::kCompletion, body);
    ASSERT_FALSE(made) << body;
    EXPECT_TRUE(made.error().what.starts_with("prompt")) << made.error().message();
  }
}

TEST(ApiError, SaysWhoseFaultItIs) {
  EXPECT_EQ(http_status(Code::kInvalidData), 400);
  EXPECT_EQ(http_status(Code::kNotFound), 404);
  EXPECT_EQ(http_status(Code::kBusy), 429);
  EXPECT_EQ(http_status(Code::kIo), 500);
  const Json busy = error_body({Code::kBusy, "too many requests are waiting", {}, {}, {}});
  EXPECT_EQ(busy["error"]["type"], "rate_limit_error");
  EXPECT_TRUE(busy["error"]["param"].is_null()) << "a sentence names no field";
  const Json length = error_body(
      {Code::kInvalidArgument, "This model's maximum context length is 9 tokens", {}, {}, {}});
  EXPECT_EQ(length["error"]["code"], "context_length_exceeded");
  EXPECT_EQ(error_body({Code::kInvalidData, "logit_bias: 5", {}, {}, {}})["error"]["param"],
            "logit_bias");
}

}  // namespace
}  // namespace strata::frontend
