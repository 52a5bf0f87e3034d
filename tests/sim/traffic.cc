// Sizes are small, so that every border is met often.
#include "sim/traffic.h"

#include <algorithm>
#include <utility>

namespace strata::sim {

// The finalizer of splitmix64 over both.
uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9e3779b97f4a7c15 + b + 0x632be59bd9b4e019;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::vector<sched::BlockHash> block_hashes(const Chain& chain, int64_t block_tokens, int64_t from) {
  std::vector<sched::BlockHash> hashes;
  for (int64_t end = (from + 1) * block_tokens; std::cmp_less_equal(end, chain.size());
       end += block_tokens) {
    const uint64_t last = chain[static_cast<size_t>(end - 1)];
    hashes.push_back({mix(last, 1), mix(last, 2)});
  }
  return hashes;
}

Traffic::Traffic(uint64_t seed) : random_(mix(seed, 0)), seed_(seed), config_(make_config()) {
  if (chance(60)) most_drafts_ = 1 + draw(8);
}

int64_t Traffic::draw(int64_t bound) {
  return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound));
}

sched::SchedulerConfig Traffic::make_config() {
  sched::SchedulerConfig config;
  config.max_sequences = 1 + draw(8);
  config.max_batched_tokens = config.max_sequences + draw(24);
  config.prefill_chunk = 1 + draw(16);
  config.max_logit_rows = config.max_sequences + draw(4);
  config.block_tokens = 1 + draw(6);
  config.depth = static_cast<int>(1 + draw(3));
  config.prefix_caching = !chance(10);
  if (chance(15)) config.batching = sched::Batching::kStatic;
  if (chance(10)) {
    config.reserve_tokens = 1 + draw(80);
    config.prefix_caching = false;
  }
  config.ageing_us = 5 + draw(200);
  config.fair_us_per_token = draw(3);
  // A pool for 1 to 4 sequences of 70 tokens: many have to give way, a few never fit.
  const int64_t groups = 1 + draw(3);
  const int64_t percent = 100 + draw(300);
  for (int64_t g = 0; g < groups; g++) {
    const int64_t window = chance(g == 0 ? 15 : 70) ? 1 + draw(20) : 0;
    config.groups.push_back({.frames_per_slab = 1 + draw(5), .window = window});
    const int64_t blocks = 70 * percent / 100 / config.block_tokens + 1;
    config.slabs += blocks / config.groups.back().frames_per_slab + 1;
  }
  return config;
}

Chain Traffic::make_prompt() {
  Chain chain;
  const int64_t kind = draw(10);
  if (kind < 2 && !answers_.empty()) {
    chain = answers_[static_cast<size_t>(draw(static_cast<int64_t>(answers_.size())))];
  } else if (kind < 4 && !prompts_.empty()) {
    return prompts_[static_cast<size_t>(draw(static_cast<int64_t>(prompts_.size())))];
  } else if (kind < 8) {
    // One of a few system prompts, as far as it is used.
    uint64_t hash = mix(seed_, static_cast<uint64_t>(draw(4)));
    for (int64_t left = draw(24); left > 0; left--) chain.push_back(hash = mix(hash, 5));
  }
  uint64_t hash = chain.empty() ? seed_ : chain.back();
  for (int64_t left = 1 + draw(chance(20) ? 40 : 12); left > 0; left--) {
    chain.push_back(hash = mix(hash, random_()));
  }
  return chain;
}

SimRequest Traffic::next() {
  SimRequest made{.request = {}, .prompt = make_prompt(), .repeatable = chance(50)};
  sched::Request& request = made.request;
  request.id = static_cast<sched::RequestId>(++last_request_);
  request.prompt_tokens = static_cast<int64_t>(made.prompt.size());
  request.max_tokens = 1 + draw(chance(20) ? 40 : 12);
  request.priority = static_cast<int32_t>(draw(4)) - 1;
  request.key = draw(4);
  request.sequences = chance(15) ? 1 + draw(4) : 1;
  request.all_logits = chance(10);
  request.block_hashes = block_hashes(made.prompt, config_.block_tokens, 0);
  for (int64_t choice = 0; choice < request.sequences; choice++) {
    made.stop_after.push_back(chance(30) ? 1 + draw(request.max_tokens) : request.max_tokens);
  }
  if (prompts_.size() < 16) prompts_.push_back(made.prompt);
  return made;
}

void Traffic::finished(Chain answer) {
  if (answer.size() > 48) return;
  if (answers_.size() < 16) {
    answers_.push_back(std::move(answer));
  } else {
    answers_[static_cast<size_t>(draw(16))] = std::move(answer);
  }
}

}  // namespace strata::sim
