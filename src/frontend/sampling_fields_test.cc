// The same fields from flags and from rows, their defaults, and every wrong type.
#include "frontend/sampling_fields.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "text/test_support.h"

namespace strata::frontend {
namespace {

TextCodec codec() {
  checkpoint::ModelDocuments documents;
  documents.tokenizer = text::byte_level_json();
  return TextCodec::create(documents, 320).value();
}

Result<Ask> ask(const std::string& fields, const model::GenerationDefaults& defaults = {}) {
  return read_ask(parse_json(fields, "test").value(), codec(), defaults);
}

FieldValues flags(const std::vector<std::pair<const char*, const char*>>& given) {
  FieldValues values({sampling_fields()});
  for (const auto& [name, text] : given) EXPECT_TRUE(values.set(name, text)) << name;
  return values;
}

TEST(SamplingFields, AreTheSameFromFlagsAndRows) {
  const Json from_flags = sampling_values(flags({{"max-tokens", "7"},
                                                 {"min-tokens", "2"},
                                                 {"ignore-eos", "true"},
                                                 {"stop", "END"},
                                                 {"stop-token-ids", "[3]"},
                                                 {"include-stop-str-in-output", "true"},
                                                 {"temperature", "0.5"},
                                                 {"top-k", "-1"},
                                                 {"top-p", "0.25"},
                                                 {"min-p", "0.125"},
                                                 {"typical-p", "0.75"},
                                                 {"repetition-penalty", "1.5"},
                                                 {"presence-penalty", "-1"},
                                                 {"frequency-penalty", "2"},
                                                 {"logit-bias", "{\"50\": -100, \"2\": 5.5}"},
                                                 {"allowed-token-ids", "[1, 2]"},
                                                 {"bad-words", "[[5, 7], \"a\"]"},
                                                 {"structured-outputs", "{\"regex\": \"a+\"}"},
                                                 {"seed", "9"},
                                                 {"logprobs", "20"},
                                                 {"prompt-logprobs", "0"},
                                                 {"echo", "true"}}))
                              .value();
  for (const ConfigField& field : sampling_fields()) {
    std::string key(field.name);
    std::ranges::replace(key, '-', '_');
    EXPECT_TRUE(is_sampling_field(key)) << key;
    EXPECT_TRUE(from_flags.contains(key)) << key;
  }
  const auto made = ask(from_flags.dump());
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->max_tokens, 7);
  EXPECT_TRUE(made->ignore_eos);
  EXPECT_TRUE(made->echo);
  const sampling::SamplingParams& p = made->params;
  EXPECT_EQ(p.min_tokens, 2);
  EXPECT_EQ(p.stop, std::vector<std::string>{"END"});
  EXPECT_EQ(p.stop_token_ids, std::vector<int32_t>{3});
  EXPECT_TRUE(p.include_stop);
  EXPECT_EQ(p.temperature, 0.5);
  EXPECT_EQ(p.top_k, -1);
  EXPECT_EQ(p.top_p, 0.25);
  EXPECT_EQ(p.min_p, 0.125);
  EXPECT_EQ(p.typical_p, 0.75);
  EXPECT_EQ(p.repetition_penalty, 1.5);
  EXPECT_EQ(p.presence_penalty, -1);
  EXPECT_EQ(p.frequency_penalty, 2);
  EXPECT_EQ(p.logit_bias, (std::vector<std::pair<int32_t, double>>{{50, -100}, {2, 5.5}}));
  EXPECT_EQ(p.allowed_token_ids, (std::vector<int32_t>{1, 2}));
  // A word is banned at the start of a text and after a space.
  ASSERT_EQ(p.bad_words.size(), 3u);
  EXPECT_EQ(p.bad_words[0], (std::vector<int32_t>{5, 7}));
  EXPECT_EQ(codec().decode(p.bad_words[1]).value(), "a");
  EXPECT_EQ(codec().decode(p.bad_words[2]).value(), " a");
  EXPECT_TRUE(p.grammar);
  EXPECT_EQ(p.seed, 9u);
  EXPECT_EQ(p.logprobs, 20);
  EXPECT_EQ(p.prompt_logprobs, 0);
}

TEST(SamplingFields, LeaveTheRestToTheModel) {
  EXPECT_EQ(sampling_values(flags({{"temperature", "model"}, {"seed", "random"}}))->dump(), "{}");
  model::GenerationDefaults defaults;
  defaults.do_sample = true;
  defaults.temperature = 0.6;
  defaults.top_k = 20;
  defaults.top_p = 0.95;
  EXPECT_EQ(ask("{}", defaults)->params.temperature, 0.6);
  EXPECT_EQ(ask("{\"top_k\":null}", defaults)->params.top_k, 20);
  EXPECT_EQ(ask("{\"top_p\":0.5}", defaults)->params.top_p, 0.5);
  EXPECT_EQ(ask("{}")->params.temperature, 0);
  EXPECT_EQ(ask("{\"typical_p\":0.5}")->params.temperature, 1);
  EXPECT_EQ(ask("{\"presence_penalty\":0.5}")->params.temperature, 0);
  EXPECT_NE(ask("{}")->params.seed, ask("{}")->params.seed);
  EXPECT_EQ(ask("{\"stop\":\"x\"}")->params.stop, ask("{\"stop\":[\"x\"]}")->params.stop);
}

TEST(SamplingFields, NameWhatHasTheWrongType) {
  const auto expect = [](const std::string& fields, const std::string& name) {
    const auto made = ask(fields);
    ASSERT_FALSE(made) << fields;
    EXPECT_NE(made.error().message().find(name), std::string::npos) << made.error().message();
  };
  for (const char* name : {"max_tokens", "min_tokens", "top_k", "seed", "logprobs"}) {
    expect(std::string("{\"") + name + "\":1.5}", name);
    expect(std::string("{\"") + name + "\":-2}", name);
  }
  for (const char* name : {"temperature", "top_p", "min_p", "typical_p", "repetition_penalty",
                           "presence_penalty", "frequency_penalty"}) {
    expect(std::string("{\"") + name + "\":\"1\"}", name);
  }
  for (const char* name : {"ignore_eos", "echo", "include_stop_str_in_output"})
    expect(std::string("{\"") + name + "\":1}", name);
  expect("{\"logprobs\":21}", "logprobs: got 21, expected an integer in 0..20");
  expect("{\"stop\":3}", "stop");
  expect("{\"stop\":[3]}", "stop[0]");
  expect("{\"stop_token_ids\":[\"x\"]}", "stop_token_ids[0]");
  expect("{\"allowed_token_ids\":[]}", "allowed_token_ids: got no ids, expected at least one");
  expect("{\"logit_bias\":{\"x\":1}}", "logit_bias: got \"x\", expected token ids");
  expect("{\"logit_bias\":{\"1\":\"x\"}}", "logit_bias");
  expect("{\"bad_words\":[1]}", "bad_words: got 1, expected texts or lists of ids");
  expect("{\"bad_words\":[\" \"]}", "bad_words");
}

TEST(SamplingFields, RefuseFlagsThatAreNoJson) {
  const auto message = [](const char* name, const char* text) {
    const auto made = sampling_values(flags({{name, text}}));
    return made ? std::string("accepted") : made.error().message();
  };
  EXPECT_NE(message("stop", "[\"a\"").find("--stop"), std::string::npos);
  EXPECT_NE(message("logit-bias", "5").find("--logit-bias"), std::string::npos);
  EXPECT_NE(message("stop-token-ids", "5").find("a JSON list of ids"), std::string::npos);
  EXPECT_EQ(flags_ask(Json{{"stop", 3}}, codec(), {}).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace strata::frontend
