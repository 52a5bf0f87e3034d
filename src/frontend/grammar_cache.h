// Compiled grammars by their source, so that rows with one schema compile it once. Between what a
// body asks for and the text layer that compiles. A refusal is kept like a grammar. Places in a
// grammar (text::Guide) are the sequences' own.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "engine/text_budget.h"
#include "text/guide.h"
#include "text/tokenizer.h"

namespace strata::frontend {

/// May be used from many threads: one compiles at a time, as compiling takes up to 44 MB for its
/// while (docs/design/memory.md).
class GrammarCache {
 public:
  /// Of the ids below `vocab`.
  GrammarCache(text::Tokenizer tokenizer, int64_t vocab);

  /// From now on what grammars hold is charged to `text`, which must outlive this and all grammars;
  /// the cache keeps a quarter of its limit at most and gives that back where others need it.
  void charge_to(engine::TextBudget& text);
  /// The reason of GuideFactory::compile where that refuses; kBusy or kResourceLimit where memory
  /// for the grammar or the vocabulary lacks.
  Result<text::Grammar> compile(text::GrammarKind kind, std::string_view source);
  /// Of the grammars that are kept, and of their sources.
  int64_t bytes() const;

 private:
  using Key = std::pair<text::GrammarKind, std::string>;
  struct Entry {
    Key key;
    Result<text::Grammar> made;
    int64_t bytes = 0;
    std::shared_ptr<memory::Charge> charge = {};  // null before charge_to()
  };

  Result<void> make_factory();
  Result<void> charge(Entry& entry);
  void drop_to(int64_t bytes);

  const text::Tokenizer tokenizer_;
  const int64_t vocab_;
  // Recursive: a shortage that this finds itself empties the cache as any other does.
  mutable std::recursive_mutex mutex_;
  engine::TextBudget* text_ = nullptr;
  std::optional<Result<text::GuideFactory>> factory_;  // once a grammar was asked for
  bool factory_charged_ = false;
  std::optional<std::pair<Key, int64_t>> refused_;  // the last one without room: its bytes
  std::list<Entry> entries_;                        // used last first
  std::map<Key, std::list<Entry>::iterator> by_key_;
  int64_t bytes_ = 0;
  int64_t most_bytes_ = 64 << 20;
};

}  // namespace strata::frontend
