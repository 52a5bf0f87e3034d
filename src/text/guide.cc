// GuideFactory, Grammar and Guide over the Rust crate: own the handles, turn codes into Status.
#include "text/guide.h"

#include <algorithm>
#include <utility>

#include "text/ffi_result.h"
#include "text/tokenizer_impl.h"

namespace strata::text {
namespace {

int64_t mask_bytes(int64_t vocab) { return (vocab + 31) / 32 * 4; }

}  // namespace

struct GuideFactory::Impl {
  ffi::StrataGuideFactory* handle = nullptr;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (handle != nullptr) ffi::strata_guide_factory_free(handle);
  }
};

struct Grammar::Impl {
  ffi::StrataGrammar* handle = nullptr;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (handle != nullptr) ffi::strata_grammar_free(handle);
  }
};

Result<GuideFactory> GuideFactory::create(const Tokenizer& tokenizer, int64_t vocab) {
  auto impl = std::make_shared<Impl>();
  ffi::StrataBytes error = {};
  const int32_t code = ffi::strata_guide_factory_new(
      tokenizer.impl_->handle, static_cast<size_t>(vocab), &impl->handle, &error);
  if (code != ffi::kStrataTextOk) return ffi::failure(code, error);
  return GuideFactory(std::move(impl), vocab);
}

Result<Grammar> GuideFactory::compile(GrammarKind kind, std::string_view source) const {
  auto impl = std::make_shared<Grammar::Impl>();
  ffi::StrataBytes error = {};
  const int32_t code = ffi::strata_grammar_new(impl_->handle, static_cast<int32_t>(kind),
                                               ffi::borrow(source), &impl->handle, &error);
  if (code != ffi::kStrataTextOk) return ffi::failure(code, error);
  return Grammar(std::move(impl), vocab_);
}

int64_t GuideFactory::bytes() const {
  return static_cast<int64_t>(ffi::strata_guide_factory_bytes(impl_->handle));
}

int64_t Grammar::bytes() const {
  return static_cast<int64_t>(ffi::strata_grammar_bytes(impl_->handle));
}

int64_t Grammar::guide_bytes(int64_t tokens) const {
  return mask_bytes(vocab_) + static_cast<int64_t>(ffi::strata_grammar_guide_bytes(
                                  impl_->handle, static_cast<size_t>(tokens)));
}

Grammar Grammar::owning(std::shared_ptr<const void> owned, int64_t bytes) const {
  using Both = std::pair<std::shared_ptr<const Impl>, std::shared_ptr<const void>>;
  const auto both = std::make_shared<const Both>(impl_, std::move(owned));
  Grammar made = {{both, impl_.get()}, vocab_};
  made.owned_bytes_ = bytes;
  return made;
}

int64_t Guide::bytes() const {
  const size_t held = handle_ == nullptr ? 0 : ffi::strata_guide_bytes(handle_.get());
  return static_cast<int64_t>(held + mask_.capacity() * sizeof(uint32_t));
}

void Guide::Deleter::operator()(ffi::StrataGuide* handle) const { ffi::strata_guide_free(handle); }

Guide::Guide(const Grammar& grammar) : mask_(static_cast<size_t>((grammar.vocab() + 31) / 32)) {
  ffi::StrataGuide* made = nullptr;
  ffi::StrataBytes error = {};
  const int32_t code = ffi::strata_guide_new(grammar.impl_->handle, &made, &error);
  if (code != ffi::kStrataTextOk) fail_with(ffi::failure(code, error));
  handle_.reset(made);
}

Guide::Guide(const Guide& other)
    : mask_(other.mask_),
      has_mask_(other.has_mask_),
      may_end_(other.may_end_),
      complete_(other.complete_),
      failure_(other.failure_) {
  fork_of(other);
}

Guide& Guide::operator=(const Guide& other) {
  if (this != &other) *this = Guide(other);
  return *this;
}

void Guide::fork_of(const Guide& other) {
  if (other.handle_ == nullptr) return;
  ffi::StrataGuide* made = nullptr;
  ffi::StrataBytes error = {};
  const int32_t code = ffi::strata_guide_fork(other.handle_.get(), &made, &error);
  if (code != ffi::kStrataTextOk) return fail_with(ffi::failure(code, error));
  handle_.reset(made);
}

void Guide::fail_with(std::unexpected<Status> status) {
  handle_.reset();
  has_mask_ = true;
  failure_ = std::move(status).error();
}

void Guide::compute_mask() {
  if (has_mask_) return;
  ffi::StrataBytes error = {};
  const int32_t code =
      ffi::strata_guide_mask(handle_.get(), mask_.data(), mask_.size(), &may_end_, &error);
  if (code != ffi::kStrataTextOk) return fail_with(ffi::failure(code, error));
  has_mask_ = true;
  const bool none = std::ranges::all_of(mask_, [](uint32_t word) { return word == 0; });
  complete_ = complete_ || (may_end_ && none);
}

void Guide::commit(int32_t token) {
  if (failure_) return;
  has_mask_ = false;
  ffi::StrataBytes error = {};
  const int32_t code = ffi::strata_guide_commit(handle_.get(), token, &complete_, &error);
  if (code != ffi::kStrataTextOk) fail_with(ffi::failure(code, error));
}

}  // namespace strata::text
