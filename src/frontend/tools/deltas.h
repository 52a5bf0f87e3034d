// What an answer's text turns out to be, in its order: thoughts, text to show, calls of functions.
// Between the parsers of this folder and the two ways an answer goes out; it knows no JSON of an
// API.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::frontend {

enum class DeltaKind : uint8_t { kReasoning, kContent, kCall, kArguments };

struct Delta {
  DeltaKind kind = DeltaKind::kContent;
  std::string text = {};  // of kCall the function's name, of kArguments a piece of JSON text
  int64_t call = 0;       // of kCall and kArguments: 0 for the answer's first call
  std::string id = {};    // of kCall
};

/// Whether `next` begins a part of the answer after one of kind `last`: thoughts, text and calls
/// are a part each, and arguments are of the call before them.
bool begins_part(std::optional<DeltaKind> last, const Delta& next);

/// Where parsers write. Pieces of one kind become one.
class Deltas {
 public:
  /// `short_ids`: nine letters and digits. Without `parallel` calls after the first are dropped.
  Deltas(bool short_ids, bool parallel) : short_ids_(short_ids), parallel_(parallel) {}

  void reasoning(std::string_view text) { add(DeltaKind::kReasoning, text); }
  void content(std::string_view text) { add(DeltaKind::kContent, text); }
  /// The next call begins; arguments() are this one's from now on.
  void call(std::string name);
  void arguments(std::string_view text);

  /// What was written since the last time.
  std::vector<Delta> take();
  int64_t calls() const { return calls_; }

 private:
  void add(DeltaKind kind, std::string_view text);
  bool dropped() const { return !parallel_ && begun_ > 1; }

  const bool short_ids_;
  const bool parallel_;
  int64_t begun_ = 0;
  int64_t calls_ = 0;
  std::vector<Delta> list_;
};

}  // namespace strata::frontend
