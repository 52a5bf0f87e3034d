// Token ids to text, one id at a time, for streaming and stop strings.
// Between the sampler's ids and what a client reads. Never emits half a character, and everything
// it emits adds up to Tokenizer::decode of the same ids. A value: copying it forks the stream. It
// does not look for stop strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/tokenizer.h"

namespace strata::text {

struct DetokenizerOptions {
  /// Leave out special tokens, as decode(ids, true) does.
  bool skip_special = true;
  /// The ids follow text that was shown already (a prompt being completed): the first token keeps
  /// the leading space that decode() of the ids alone would strip.
  bool continues = false;
  /// Special tokens that are not left out.
  std::vector<int32_t> shown = {};
};

class Detokenizer {
 public:
  explicit Detokenizer(Tokenizer tokenizer, DetokenizerOptions options = {});

  /// Text that became certain with this id: whole characters, often none. Cost does not grow with
  /// the ids before.
  std::string append(int32_t id);
  /// What flush() would return now, without ending the stream: text that a later id may still
  /// change.
  std::string pending() const;
  /// Ends the stream: the rest, an incomplete character as U+FFFD. Afterwards the stream is as new.
  std::string flush();

 private:
  std::string append_bytes(std::string_view piece);
  std::string append_run(int32_t id);
  std::string append_word(int32_t id);
  std::string append_window(int32_t id);
  std::string read_window();
  std::string end_run();
  std::string strip(std::string text);
  void restart();

  Tokenizer tokenizer_;
  DetokenizerOptions options_;
  bool started_ = false;         // a token that was not skipped has been seen
  int32_t strip_left_ = 0;       // leading characters still to be stripped
  std::string held_;             // bytes of an incomplete character, or of a run of byte tokens
  std::vector<int32_t> window_;  // decoders without a table of pieces: the last ids
  size_t window_read_ = 0;       // how many of window_ have been emitted
};

}  // namespace strata::text
