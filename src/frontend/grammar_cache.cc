// Least recently used goes first.
#include "frontend/grammar_cache.h"

#include <fmt/core.h>

#include <memory>

namespace strata::frontend {
namespace {

constexpr int64_t kEntryBytes = 1024;
constexpr const char* kWhat = "the grammar";

}  // namespace

GrammarCache::GrammarCache(text::Tokenizer tokenizer, int64_t vocab)
    : tokenizer_(std::move(tokenizer)), vocab_(vocab) {}

void GrammarCache::charge_to(engine::TextBudget& text) {
  text_ = &text;
  if (text.limit() > 0) most_bytes_ = text.limit() / 4;
  text.on_shortage([this] {
    const std::lock_guard lock(mutex_);
    drop_to(0);
  });
}

int64_t GrammarCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

Result<text::Grammar> GrammarCache::compile(text::GrammarKind kind, std::string_view source) {
  const std::lock_guard lock(mutex_);
  Key key(kind, source);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front().made;
  }
  TRY(make_factory());
  // Whoever asks again until there is room does not compile again.
  if (refused_ && refused_->first == key) TRY(text_->reserve(kWhat, refused_->second));
  Entry entry{.key = std::move(key), .made = factory_->value().compile(kind, source)};
  // A source is in the entry and in the map.
  entry.bytes = kEntryBytes + 2 * static_cast<int64_t>(source.size());
  if (entry.made) entry.bytes += entry.made->bytes();
  TRY(charge(entry));
  bytes_ += entry.bytes;
  Result<text::Grammar> made = entry.made;
  entries_.push_front(std::move(entry));
  by_key_[entries_.front().key] = entries_.begin();
  drop_to(most_bytes_);
  return made;
}

// Requests may hold a grammar longer than the cache does.
Result<void> GrammarCache::charge(Entry& entry) {
  if (text_ == nullptr) return {};
  auto charge = text_->reserve(kWhat, entry.bytes);
  refused_.reset();
  if (!charge) refused_ = {entry.key, entry.bytes};
  entry.charge = std::make_shared<memory::Charge>(TRY(std::move(charge)));
  if (entry.made) entry.made = entry.made->owning(entry.charge, entry.bytes);
  return {};
}

Result<void> GrammarCache::make_factory() {
  if (!factory_) factory_ = text::GuideFactory::create(tokenizer_, vocab_);
  if (!*factory_) return std::unexpected(factory_->error());
  if (text_ == nullptr || factory_charged_) return {};
  const int64_t bytes = factory_->value().bytes(), most = text_->limit() / 2;
  if (text_->limit() > 0 && bytes > most) {
    factory_ = fail(
        Code::kResourceLimit, "memory for structured output with this vocabulary",
        memory::format_bytes(bytes),
        fmt::format("at most {}, half of what is set aside for text", memory::format_bytes(most)),
        "raise --memory");
    return std::unexpected(factory_->error());
  }
  text_->keep(bytes);
  factory_charged_ = true;
  return {};
}

void GrammarCache::drop_to(int64_t bytes) {
  while (bytes_ > bytes) {
    bytes_ -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace strata::frontend
