// Sequences with a grammar in a whole engine: valid whatever happens to them, equal to what each
// gives alone, and no concern of sequences beside them.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/test_running.h"
#include "text/guide.h"
#include "text/test_support.h"

namespace strata::engine {
namespace {

using testing::each_alone;
using testing::expect_same;
using testing::Outcome;
using testing::plain;
using testing::prompt;
using testing::Running;
using testing::warm;

constexpr int32_t kEnd = 3;  // a control character, which none of the grammars below has

const text::Tokenizer& tokenizer() {
  static const text::Tokenizer kTokenizer =
      text::Tokenizer::from_json(text::byte_level_json()).value();
  return kTokenizer;
}

// Of the tiny model's 97 ids: the bytes up to "`".
text::Grammar compiled(text::GrammarKind kind, std::string_view source) {
  static const text::GuideFactory kFactory = text::GuideFactory::create(tokenizer(), 97).value();
  auto grammar = kFactory.compile(kind, source);
  EXPECT_TRUE(grammar) << grammar.error().message();
  return *grammar;
}

const text::Grammar& words() {
  static const text::Grammar kWords =
      compiled(text::GrammarKind::kRegex, "\\[[A-Z]{1,9}(,[A-Z]{1,9})*\\]");
  return kWords;
}

bool is_list_of_words(const std::string& text) {
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return false;
  size_t length = 0;
  for (const char c : text.substr(1)) {
    const bool letter = c >= 'A' && c <= 'Z';
    if (!letter && (length == 0 || (c != ',' && c != ']'))) return false;
    length = letter ? length + 1 : 0;
    if (length > 9) return false;
  }
  return true;
}

GenerateRequest guided(int64_t prompt_tokens, int64_t max_tokens, uint32_t seed) {
  GenerateRequest request = warm(prompt(prompt_tokens, seed), max_tokens, seed);
  request.sampling.temperature = 1;
  request.sampling.grammar = words();
  request.stop_ids = {kEnd};
  return request;
}

void expect_valid(const Outcome& outcome) {
  ASSERT_TRUE(outcome.finished) << (outcome.error ? outcome.error->message() : "no end");
  if (*outcome.finished == sched::FinishReason::kLength) return;
  EXPECT_EQ(outcome.ids.back(), kEnd);
  const std::vector<int32_t> ids(outcome.ids.begin(), outcome.ids.end() - 1);
  const std::string text = tokenizer().decode(ids).value();
  EXPECT_TRUE(is_list_of_words(text)) << text;
}

TEST(EngineGuide, GivesValidTextsThroughPreemptionAndPrefixHits) {
  const int32_t closes = tokenizer().encode("]", {.add_special_tokens = false}).value()[0];
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 48; i++) {
    requests.push_back(guided(40 + i % 13, 200 - i % 5, i % 29));
    requests.back().sampling.seed = i;
    // Most go on until they are cut off, so that blocks run out.
    if (i % 4 != 0) requests.back().sampling.logit_bias = {{closes, -100}};
  }
  const std::vector<Outcome> expected = each_alone(requests);
  int stopped = 0;
  for (const Outcome& outcome : expected) {
    expect_valid(outcome);
    stopped += outcome.finished == sched::FinishReason::kStop ? 1 : 0;
  }
  EXPECT_GE(stopped, 5);
  for (const int threads : {1, 2}) {
    Running crowded({.threads = threads, .max_num_seqs = 64, .kv_blocks = 8});
    std::vector<Outcome> outcomes(requests.size());
    for (size_t i = 0; i < requests.size(); i++) crowded.add(requests[i], outcomes[i]);
    crowded.finish();
    for (size_t i = 0; i < requests.size(); i++) {
      expect_same(outcomes[i], expected[i], "request " + std::to_string(i));
    }
    EXPECT_GE(crowded.engine().stats().scheduler.preemptions, 3);
    EXPECT_GE(crowded.engine().stats().scheduler.cached_tokens, 32);
  }
}

TEST(EngineGuide, LeavesOthersAlone) {
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 15; i++) requests.push_back(warm(prompt(10 + i, i), 30, i));
  const std::vector<Outcome> expected = each_alone(requests);
  requests.insert(requests.begin() + 7, guided(12, 40, 5));
  Running running({.threads = 2, .max_num_seqs = 16});
  std::vector<Outcome> outcomes(requests.size());
  for (size_t i = 0; i < requests.size(); i++) running.add(requests[i], outcomes[i]);
  running.finish();
  expect_valid(outcomes[7]);
  outcomes.erase(outcomes.begin() + 7);
  for (size_t i = 0; i < expected.size(); i++) {
    expect_same(outcomes[i], expected[i], "request " + std::to_string(i));
  }
}

// Guesses run ahead of the masks: each row behind a right one needs its own.
TEST(EngineGuide, GivesTheSameWithSpeculation) {
  const int32_t letter = tokenizer().encode("A", {.add_special_tokens = false}).value()[0];
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 6; i++) {
    requests.push_back(guided(20 + i, 80, i));
    requests.back().sampling.logit_bias = {{letter, 20}};  // nine of it, then the grammar says no
  }
  const std::vector<Outcome> expected = each_alone(requests);
  EngineConfig config{.threads = 1, .max_num_seqs = 8};
  config.speculation.method = "ngram";
  Running running(config);
  std::vector<Outcome> outcomes(requests.size());
  for (size_t i = 0; i < requests.size(); i++) running.add(requests[i], outcomes[i]);
  running.finish();
  EXPECT_GT(running.engine().stats().scheduler.accepted_drafts, 50);
  for (size_t i = 0; i < expected.size(); i++) {
    expect_valid(outcomes[i]);
    expect_same(outcomes[i], expected[i], "request " + std::to_string(i));
  }
}

TEST(EngineGuide, GivesEachOfSeveralAnswersItsOwnPlace) {
  GenerateRequest request = guided(33, 45, 8);
  request.n = 4;
  std::vector<std::vector<int32_t>> answers(4);
  Running running({.threads = 2, .max_num_seqs = 3});
  const auto id = running.engine().submit(request, [&](const Update& update) {
    if (update.token) answers[static_cast<size_t>(update.choice)].push_back(*update.token);
  });
  ASSERT_TRUE(id);
  running.finish();
  std::vector<GenerateRequest> single;
  for (uint32_t choice = 0; choice < 4; choice++) {
    single.push_back(guided(33, 45, 8));
    single.back().sampling.choice = choice;
  }
  const std::vector<Outcome> expected = each_alone(single);
  for (size_t choice = 0; choice < 4; choice++) EXPECT_EQ(answers[choice], expected[choice].ids);
}

TEST(EngineGuide, EndsARequestWhoseGrammarExplodesAndNoOther) {
  // Behind the first token each of 3,000 places may begin the rest.
  std::string source = "start: \"A\"";
  for (int i = 0; i < 3000; i++) source += " o?";
  GenerateRequest explodes = guided(12, 40, 5);
  explodes.sampling.grammar = compiled(text::GrammarKind::kLark, source + "\no: \"B\"");
  const std::vector<Outcome> expected = each_alone({guided(14, 40, 6), plain(9, 20, 3)});
  Running running({.threads = 2, .max_num_seqs = 4});
  std::vector<Outcome> outcomes(3);
  running.add(guided(14, 40, 6), outcomes[0]);
  running.add(plain(9, 20, 3), outcomes[1]);
  running.add(explodes, outcomes[2]);
  running.finish();
  for (size_t i = 0; i < 2; i++) expect_same(outcomes[i], expected[i], std::to_string(i));
  ASSERT_TRUE(outcomes[2].error);
  EXPECT_EQ(outcomes[2].error->code, Code::kResourceLimit);
  EXPECT_NE(outcomes[2].error->message().find("structured output"), std::string::npos);
  EXPECT_EQ(outcomes[2].endings, 1);
}

TEST(EngineGuide, RefusesAGrammarOfAnotherVocabulary) {
  GenerateRequest request = guided(12, 40, 5);
  request.sampling.grammar =
      text::GuideFactory::create(tokenizer(), 96)->compile(text::GrammarKind::kRegex, "A").value();
  Running running({.max_num_seqs = 2});
  const auto id = running.engine().submit(request, [](const Update&) {});
  ASSERT_FALSE(id);
  EXPECT_NE(id.error().message().find("vocabulary"), std::string::npos);
}

}  // namespace
}  // namespace strata::engine
