// Commit, finish, truncate; text goes through the detokenizer, then through the stop matcher.
#include "sampling/decode_state.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace strata::sampling {
namespace {

std::vector<int32_t> sorted_set(std::vector<int32_t> ids) {
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  return ids;
}

}  // namespace

std::shared_ptr<const DecodeRequest> make_decode_request(SamplingParams params,
                                                         std::span<const int32_t> prompt,
                                                         std::vector<int32_t> stop_ids) {
  auto made = std::make_shared<DecodeRequest>();
  made->end_ids = sorted_set(stop_ids);
  std::ranges::copy(params.stop_token_ids, std::back_inserter(stop_ids));
  made->stop_ids = sorted_set(std::move(stop_ids));
  made->allowed_ids = sorted_set(params.allowed_token_ids);
  if (params.repetition_penalty != 1) made->prompt_ids = sorted_set({prompt.begin(), prompt.end()});
  made->prompt_tokens = static_cast<int64_t>(prompt.size());
  made->stops = std::make_shared<const StopStrings>(params.stop);
  made->params = std::move(params);
  return made;
}

DecodeState::DecodeState(std::shared_ptr<const DecodeRequest> request,
                         std::optional<text::Detokenizer> detokenizer)
    : request_(std::move(request)),
      fresh_(std::move(detokenizer)),
      detokenizer_(fresh_),
      matcher_(request_->stops),
      choice_(request_->params.choice) {
  if (params().grammar) guide_.emplace(*params().grammar);
}

void DecodeState::count(int32_t token) {
  const auto at = std::ranges::lower_bound(counts_, token, {}, &Count::id);
  if (at == counts_.end() || at->id != token) {
    counts_.insert(at, {token, 1});
  } else {
    at->times++;
  }
}

DecodeState::Committed DecodeState::match(std::string_view text, bool last) {
  StopMatcher::Found found = matcher_.append(text, stops_count());
  Committed made{.text = std::move(found.text), .stopped = found.stop != nullptr, .stop = {}};
  if (found.stop != nullptr) {
    made.stop = *found.stop;
    if (params().include_stop) made.text += *found.stop;
  } else if (last) {
    made.text += matcher_.flush();
  }
  text_bytes_ += static_cast<int64_t>(made.text.size());
  return made;
}

DecodeState::Committed DecodeState::commit(int32_t token) {
  generated_.push_back(token);
  count(token);
  const bool ends =
      (stops_count() || must_end()) && std::ranges::binary_search(request_->stop_ids, token);
  guide_past(token);
  // Without an end token to wait for, a whole text is all there is.
  const bool whole = must_end() && request_->end_ids.empty();
  std::string text;
  if (detokenizer_ && (!ends || params().include_stop)) text = detokenizer_->append(token);
  if (!ends && !whole) return match(text, false);
  if (detokenizer_) text += detokenizer_->flush();
  Committed made = match(text, true);
  made.stopped = true;
  return made;
}

void DecodeState::guide_past(int32_t token) {
  if (guide_ && !std::ranges::binary_search(request_->end_ids, token)) guide_->commit(token);
}

void DecodeState::prepare_mask() {
  if (guide_) guide_->compute_mask();
}

DecodeState::Committed DecodeState::finish() {
  return match(detokenizer_ ? detokenizer_->flush() : std::string(), true);
}

DecodeState DecodeState::fork(uint32_t choice) const {
  DecodeState made = *this;
  made.choice_ = choice;
  return made;
}

void DecodeState::truncate(int64_t generated) {
  CHECK(generated >= 0 && generated <= static_cast<int64_t>(generated_.size()),
        "truncated to more tokens than there are");
  DecodeState again(request_, fresh_);
  again.choice_ = choice_;
  for (const int32_t token : std::span(generated_).first(static_cast<size_t>(generated)))
    again.commit(token);
  *this = std::move(again);
}

}  // namespace strata::sampling
