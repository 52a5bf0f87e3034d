// Tokenizer: special tokens and user text, batch, decode, ids, and refusal of broken files.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "text/special.h"
#include "text/test_support.h"

namespace strata::text {
namespace {

using Ids = std::vector<int32_t>;

Tokenizer load(const std::string& json) {
  auto tokenizer = Tokenizer::from_json(json);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message();
  return std::move(tokenizer).value();
}

Ids encoded(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options) {
  auto ids = tokenizer.encode(text, options);
  EXPECT_TRUE(ids) << ids.error().message();
  return ids.value_or(Ids());
}

TEST(Tokenizer, MergesAndAddsBos) {
  const Tokenizer tokenizer = load(byte_level_json());
  EXPECT_EQ(encoded(tokenizer, "hello", {.add_special_tokens = false}), Ids({259}));
  EXPECT_EQ(encoded(tokenizer, "hello", {}), Ids({300, 259}));
  EXPECT_EQ(encoded(tokenizer, "", {}), Ids({300}));
  EXPECT_EQ(encoded(tokenizer, "", {.add_special_tokens = false}), Ids());
}

TEST(Tokenizer, UserTextNeverBecomesASpecialToken) {
  const Tokenizer tokenizer = load(byte_level_json());
  const Ids literal = encoded(tokenizer, "hello<|im_end|>", {.add_special_tokens = false});
  EXPECT_EQ(literal.size(), 11u);
  EXPECT_EQ(std::ranges::count(literal, 301), 0);
  EXPECT_EQ(tokenizer.decode(literal, true).value(), "hello<|im_end|>");
  const Ids parsed = encoded(tokenizer, "hello<|im_end|>",
                             {.add_special_tokens = false, .parse_special_tokens = true});
  EXPECT_EQ(parsed, Ids({259, 301}));
  // An added token that is not special is part of the language, not control.
  EXPECT_EQ(encoded(tokenizer, "<tool>", {.add_special_tokens = false}), Ids({302}));
}

// What hides them leaves no trace: between special tokens the ids are those of plain text.
TEST(Tokenizer, HiddenSpecialTokensAreText) {
  const std::string mark = "\uFDD0";
  struct Fixture {
    std::string json;
    std::string open, close;
  };
  for (const auto& [json, open, close] : {Fixture{byte_level_json(), "<|bos|>", "<|im_end|>"},
                                          Fixture{sentencepiece_json(), "<s>", "</s>"}}) {
    const Tokenizer tokenizer = load(json);
    const int32_t first = tokenizer.token_to_id(open).value();
    const int32_t last = tokenizer.token_to_id(close).value();
    const std::string half = close.substr(0, 3);
    const std::vector<std::string> texts = {"hello",
                                            close,
                                            "hello" + close + "hello" + open + close + " he",
                                            half,
                                            half + close + close.substr(3),
                                            "日本" + open + "é",
                                            mark,
                                            mark + mark + open + mark,
                                            half + mark + close.substr(3),
                                            "<tool>" + close + "</tool>"};
    for (const std::string& text : texts) {
      Ids expected = encoded(tokenizer, text, {.add_special_tokens = false});
      expected.insert(expected.begin(), first);
      expected.push_back(last);
      const std::string hidden = tokenizer.hide_special_tokens(text).value();
      EXPECT_EQ(encode_chat(tokenizer, open + hidden + close).value(), expected) << text;
    }
    EXPECT_EQ(tokenizer.hide_special_tokens("hello <").value(), "hello <");
    EXPECT_FALSE(tokenizer.hide_special_tokens("\xFF"));
  }
}

TEST(Tokenizer, ChatHasOneBos) {
  const Tokenizer tokenizer = load(byte_level_json());
  EXPECT_EQ(encode_chat(tokenizer, "<|bos|>hello<|im_end|>").value(), Ids({300, 259, 301}));
  EXPECT_EQ(encode_chat(tokenizer, "hello").value(), Ids({259}));
  EXPECT_EQ(encode_prompt(tokenizer, "hello").value(), Ids({300, 259}));
  EXPECT_EQ(encode_prompt(tokenizer, "<|im_end|>", true).value(), Ids({300, 301}));
  EXPECT_EQ(encode_prompt(tokenizer, "<|im_end|>").value().size(), 11u);
}

TEST(Tokenizer, BatchEqualsSingles) {
  const Tokenizer tokenizer = load(sentencepiece_json());
  const std::vector<std::string> texts = {"hello world", "", "  he", "日本"};
  const auto batch = tokenizer.encode_batch(texts).value();
  ASSERT_EQ(batch.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(batch[i], encoded(tokenizer, texts[i], {}));
  const std::vector<std::string> broken = {"fine", "\xFF"};
  EXPECT_EQ(tokenizer.encode_batch(broken).error().code, Code::kInvalidArgument);
}

TEST(Tokenizer, DecodeLeavesOutWhatHasNoToken) {
  const Tokenizer tokenizer = load(byte_level_json());
  EXPECT_EQ(tokenizer.decode(Ids({300, 259, 301})).value(), "<|bos|>hello<|im_end|>");
  EXPECT_EQ(tokenizer.decode(Ids({300, 259, 301}), true).value(), "hello");
  EXPECT_EQ(tokenizer.decode(Ids({-1, 259, 1'000'000, INT32_MAX, INT32_MIN})).value(), "hello");
  EXPECT_EQ(tokenizer.decode(Ids()).value(), "");
  EXPECT_EQ(tokenizer.decode(Ids({0xF0})).value(), "\xEF\xBF\xBD");
}

TEST(Tokenizer, IdsAndTokens) {
  const Tokenizer tokenizer = load(byte_level_json());
  EXPECT_EQ(tokenizer.vocab_size(), 303);
  EXPECT_EQ(tokenizer.token_to_id("<|im_end|>"), 301);
  EXPECT_EQ(tokenizer.token_to_id("Ġw"), 260);
  EXPECT_EQ(tokenizer.token_to_id("nothing"), std::nullopt);
  EXPECT_EQ(tokenizer.token_to_id("\xFF"), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_token(260), "Ġw");
  EXPECT_EQ(tokenizer.id_to_token(301), "<|im_end|>");
  EXPECT_EQ(tokenizer.id_to_token(303), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_token(-1), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(300));
  EXPECT_FALSE(tokenizer.is_special(302));
  EXPECT_FALSE(tokenizer.is_special(259));
  EXPECT_FALSE(tokenizer.is_special(-1));
  EXPECT_FALSE(tokenizer.is_special(INT32_MAX));
}

TEST(Tokenizer, TrainingTimeSettingsAreIgnored) {
  std::string json = byte_level_json();
  json = edited(
      json, R"("truncation":null)",
      R"("truncation":{"direction":"Right","max_length":2,"strategy":"LongestFirst","stride":0})");
  json =
      edited(json, R"("padding":null)",
             R"("padding":{"strategy":{"Fixed":9},"direction":"Right","pad_to_multiple_of":null,)"
             R"("pad_id":0,"pad_type_id":0,"pad_token":"!"})");
  json = edited(json, R"("dropout":null)", R"("dropout":0.9)");
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encoded(tokenizer, "hello hello", {}),
            encoded(load(byte_level_json()), "hello hello", {}));
}

TEST(Tokenizer, TextThatIsNotUtf8IsRefused) {
  const Tokenizer tokenizer = load(byte_level_json());
  for (const char* text : {"\xFF", "ab\xC3", "\xED\xA0\x80", "\xC0\x80"}) {
    const auto ids = tokenizer.encode(text);
    ASSERT_FALSE(ids);
    EXPECT_EQ(ids.error().code, Code::kInvalidArgument);
    EXPECT_NE(ids.error().message().find("UTF-8"), std::string::npos);
  }
}

// The byte-level tokenizer with a regular expression of its own in front.
std::string with_split(const std::string& regex) {
  const std::string split = R"({"type":"Split","pattern":{"Regex":")" + regex +
                            R"("},"behavior":"Isolated","invert":false})";
  const auto byte_level = [](std::string_view use_regex) {
    return R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":)" +
           std::string(use_regex) + "}";
  };
  return edited(byte_level_json(), R"("pre_tokenizer":)" + byte_level("true"),
                R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[)" + split + "," +
                    byte_level("false") + "]}");
}

struct Broken {
  const char* name;
  std::string json;
  const char* says;
};

std::vector<Broken> broken_files() {
  const std::string good = byte_level_json();
  const auto edit = [&](std::string_view from, std::string_view to) {
    return edited(good, from, to);
  };
  std::string deep(2000, '[');
  std::string nested = R"({"type":"NFC"})";
  for (int i = 0; i < 40; ++i) nested.insert(0, R"({"type":"Sequence","normalizers":[)") += "]}";
  std::string doubling = R"({"type":"Sequence","normalizers":[)";
  for (int i = 0; i < 30; ++i) {
    doubling += R"({"type":"Replace","pattern":{"String":"a"},"content":"aa"},)";
  }
  doubling += R"({"type":"NFC"}]})";
  return {
      {"empty", "", "EOF"},
      {"not json", "hello", "expected"},
      {"not an object", "[1, 2]", "tokenizer.json"},
      {"deep", deep, "tokenizer.json"},
      {"truncated", good.substr(0, good.size() / 2), "EOF"},
      {"not utf-8", edit("hell", "\xFF"), "UTF-8"},
      {"no model", R"({"version":"1.0","added_tokens":[]})", "no model"},
      {"model null", R"({"version":"1.0","model":null})", "no model"},
      {"unknown type", edit(R"("type":"BPE")", R"("type":"Magic")"), "Magic"},
      {"no vocab", edit(R"("vocab":)", R"("vocabulary":)"), "no vocab"},
      {"vocab is text", R"({"model":{"type":"BPE","vocab":"abc","merges":[]}})", "vocabulary"},
      {"empty vocab", R"({"model":{"type":"BPE","vocab":{},"merges":[]}})", "empty"},
      {"duplicate id", edit(R"("hello":259)", R"("hello":258)"), "258"},
      {"duplicate token", edit(R"("hello":259)", R"("hell":259)"), "twice"},
      {"gaps", R"({"model":{"type":"BPE","vocab":{"a":0,"b":7},"merges":[]}})", "go up to 7"},
      {"negative id", edit(R"("hello":259)", R"("hello":-1)"), "-1"},
      {"huge id", edit(R"("hello":259)", R"("hello":4000000000)"), "4000000000"},
      {"id is text", edit(R"("hello":259)", R"("hello":"259")"), "u32"},
      {"merge of unknown pieces", edit(R"(["hell","o"])", R"(["hell","zz"])"), "zz"},
      {"merge into nothing", edit(R"(["hell","o"])", R"(["o","o"])"), "oo"},
      {"merge with nothing", edit(R"(["hell","o"])", R"(["","hello"])"), "join two"},
      {"merge of three", edit(R"(["hell","o"])", R"("h e l")"), "join two"},
      {"merge of one", R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[["a","a"]]}})",
       "merge 0 needs \"aa\""},
      {"model key twice", edit(R"("dropout":null)", R"("dropout":null,"dropout":0.1)"), "twice"},
      {"merges not a list", edit(R"("merges":[)", R"("merges":7,"x":[)"), "merges"},
      {"empty added token", edit(R"("content":"<tool>")", R"("content":"")"), "empty"},
      {"added id taken", edit(R"("id":302,)", R"("id":301,)"), "301"},
      {"added id elsewhere", edit(R"("id":302,)", R"("id":305,)"), "305"},
      {"two ids", edit(R"("content":"<tool>")", R"("content":"hello")"), "two ids"},
      {"post-processor beyond", edit(R"("ids":[300])", R"("ids":[999])"), "999"},
      {"bad version", edit(R"("version":"1.0")", R"("version":"9.9")"), "9.9"},
      {"unknown pre-tokenizer",
       edit(R"("pre_tokenizer":{"type":"ByteLevel")", R"("pre_tokenizer":{"type":"Magic")"),
       "pre_tokenizer"},
      {"bad regex", with_split("(a"), "regular expression"},
      {"nested normalizers", edit(R"("normalizer":null)", R"("normalizer":)" + nested), "levels"},
      {"doubling normalizers", edit(R"("normalizer":null)", R"("normalizer":)" + doubling),
       "too long"},
      {"bad score", R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["a",1e999]]}})",
       "tokenizer.json"},
      {"bad unk id", R"({"model":{"type":"Unigram","unk_id":9,"vocab":[["a",-1.0]]}})",
       "tokenizer.json"},
  };
}

TEST(Tokenizer, BrokenFilesAreRefusedWithAReason) {
  for (const Broken& broken : broken_files()) {
    const auto tokenizer = Tokenizer::from_json(broken.json);
    ASSERT_FALSE(tokenizer) << broken.name;
    EXPECT_EQ(tokenizer.error().code, Code::kInvalidData) << broken.name;
    const std::string message = tokenizer.error().message();
    EXPECT_NE(message.find(broken.says), std::string::npos) << broken.name << ": " << message;
    EXPECT_EQ(message.rfind("tokenizer.json: "), 0u) << "named once, first: " << message;
  }
}

TEST(Tokenizer, MergesOfOldAndNewForm) {
  // A pair may hold spaces; a line is two parts around one.
  for (const char* merge : {R"(["a b"," c"])", R"("#version: 0.2","x y")", R"("x y")"}) {
    const auto tokenizer = Tokenizer::from_json(
        R"({"version":"1.0","model":{"type":"BPE","vocab":{"a b":0," c":1,"a b c":2,"x":3,"y":4,"xy":5},"merges":[)" +
        std::string(merge) + "]}}");
    EXPECT_TRUE(tokenizer) << merge << ": " << tokenizer.error().message();
  }
}

TEST(Tokenizer, TooManyMergesAreRefusedBeforeTheyAreKept) {
  std::string json = R"({"model":{"type":"BPE","vocab":{"a":0,"aa":1},"merges":[["a","a"])";
  for (int i = 0; i < 1 << 20; ++i) json += R"(,["a","a"])";
  const auto tokenizer = Tokenizer::from_json(json + "]}}");
  ASSERT_FALSE(tokenizer);
  EXPECT_NE(tokenizer.error().message().find("1048576 merges"), std::string::npos)
      << tokenizer.error().message();
}

TEST(Tokenizer, TooManyAddedTokensAreRefused) {
  std::string json = R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[)";
  for (int i = 1; i < 1'100'000; ++i) {
    json += R"({"id":)" + std::to_string(i) + R"(,"content":"x"},)";
  }
  json += R"({"id":0,"content":"a"}]})";
  const auto tokenizer = Tokenizer::from_json(json);
  ASSERT_FALSE(tokenizer);
  EXPECT_NE(tokenizer.error().message().find("added tokens"), std::string::npos);
}

TEST(Tokenizer, CatastrophicRegexesEnd) {
  const std::string as(100'000, 'a');
  for (const char* regex :
       {"(a+)+$", "(a|a)*b", "(a|aa)+$", "a+c|a", "(?=a*+b)|a", "(a*)*\\\\1b"}) {
    const Tokenizer tokenizer = load(with_split(regex));
    for (const std::string& text : {as, as + "b", as + "!"}) {
      const auto ids = tokenizer.encode(text, {.add_special_tokens = false});
      if (!ids) {
        EXPECT_EQ(ids.error().code, Code::kResourceLimit) << regex << ": " << ids.error().message();
        EXPECT_NE(ids.error().message().find("regular expression"), std::string::npos);
      }
    }
    EXPECT_TRUE(tokenizer.encode("hello")) << regex;  // the budget is each call's own
  }
}

// The budget must not hit real patterns on odd but honest text.
TEST(Tokenizer, RealRegexesStayWithinTheBudget) {
  const Tokenizer tokenizer = load(with_split(
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)"));
  for (const char* unit : {" ", "a", "\n", " \n", "\t ", "1", "!", "é", "日", "'s", "a ", "🦙"}) {
    std::string text;
    while (text.size() < (1 << 18)) text += unit;
    const auto ids = tokenizer.encode(text, {.add_special_tokens = false});
    ASSERT_TRUE(ids) << unit << ": " << ids.error().message();
    EXPECT_EQ(tokenizer.decode(*ids).value(), text);
  }
}

}  // namespace
}  // namespace strata::text
