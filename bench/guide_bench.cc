// Time of structured output for one vocabulary: making its factory, compiling a typical schema, a
// mask, committing a token, forking. Texts are random walks: inside of strings nearly every token
// is allowed, elsewhere few are.
//
//   guide_bench TOKENIZER.json VOCAB
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/env.h"
#include "text/guide.h"

namespace strata::text {
namespace {

constexpr int kWalks = 20;
constexpr int kTokens = 100;

constexpr const char* kSchema = R"({
  "type": "object",
  "properties": {
    "name": {"type": "string", "maxLength": 40},
    "email": {"type": "string", "format": "email"},
    "age": {"type": "integer", "minimum": 0, "maximum": 150},
    "role": {"enum": ["admin", "user", "guest"]},
    "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
    "address": {
      "type": "object",
      "properties": {"street": {"type": "string"}, "city": {"type": "string"},
                     "zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
      "required": ["street", "city"], "additionalProperties": false},
    "scores": {"type": "array", "items": {"type": "number"}}},
  "required": ["name", "email", "role", "address"], "additionalProperties": false})";

class Times {
 public:
  template <class Body>
  auto measure(const Body& body) {
    const int64_t start = real_env().now_ns();
    auto made = body();
    us_.push_back(static_cast<double>(real_env().now_ns() - start) / 1e3);
    return made;
  }
  void print(const char* name) {
    std::ranges::sort(us_);
    const auto at = [&](double share) {
      return us_[static_cast<size_t>(share * static_cast<double>(us_.size() - 1))];
    };
    fmt::print("{:<28} {:9.1f} us median {:9.1f} 99 % {:9.1f} most\n", name, at(0.5), at(0.99),
               at(1));
  }

 private:
  std::vector<double> us_;
};

struct Measured {
  Times masks, commits, forks;
};

void walk(const Grammar& grammar, uint32_t seed, Measured& measured) {
  std::mt19937 random(seed);
  Guide guide(grammar);
  for (int step = 0; step < kTokens; step++) {
    measured.masks.measure([&] {
      guide.compute_mask();
      return 0;
    });
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < grammar.vocab(); id++) {
      if (guide.allows(id)) ids.push_back(id);
    }
    if (ids.empty()) return;
    measured.commits.measure([&] {
      guide.commit(ids[random() % ids.size()]);
      return 0;
    });
  }
  measured.forks.measure([&] { return Guide(guide); });
}

Result<void> run_bench(const std::string& path, int64_t vocab) {
  const std::string json = TRY(real_env().read_small_file(path, 256 << 20));
  const Tokenizer tokenizer = TRY(Tokenizer::from_json(json));
  Times factories, compiles;
  const GuideFactory factory =
      TRY(factories.measure([&] { return GuideFactory::create(tokenizer, vocab); }));
  fmt::print("{}: {} ids\n", path, vocab);
  Measured schema, string;
  for (uint32_t seed = 0; seed < kWalks; seed++) {
    const Grammar grammar =
        TRY(compiles.measure([&] { return factory.compile(GrammarKind::kJsonSchema, kSchema); }));
    walk(grammar, seed, schema);
    walk(TRY(factory.compile(GrammarKind::kRegex, "(?s:.*)x")), seed, string);
  }
  factories.print("factory");
  compiles.print("compile a schema");
  schema.masks.print("mask, schema");
  string.masks.print("mask, any text");
  schema.commits.print("commit");
  schema.forks.print("fork");
  return {};
}

}  // namespace
}  // namespace strata::text

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto done = strata::text::run_bench(argv[1], std::atoll(argv[2]));
  if (!done) fmt::print("{}\n", done.error().message());
  return done ? 0 : 1;
}
