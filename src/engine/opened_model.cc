// The order in which a folder's documents are read: the cheap ones that refuse a model first.
#include "engine/opened_model.h"

#include <fmt/core.h>

#include <utility>

namespace strata::engine {

Result<std::unique_ptr<OpenedModel>> OpenedModel::open(Env& env, const std::string& model,
                                                       const std::string& revision,
                                                       model::WeightDtype dtype) {
  std::unique_ptr<OpenedModel> opened(new OpenedModel());
  opened->source_ = TRY(checkpoint::resolve_model(env, model, revision));
  opened->documents_ = TRY(checkpoint::read_model_documents(env, opened->source_));
  const checkpoint::ModelDocuments& documents = opened->documents_;
  opened->config_ = TRY(model::parse_config(documents.config));
  opened->defaults_ =
      TRY(model::parse_generation_config(documents.generation_config, opened->config_));
  opened->checkpoint_ = std::make_unique<checkpoint::Checkpoint>(
      TRY(checkpoint::Checkpoint::open(env, opened->source_.folder)));
  opened->plan_ = TRY(model::bind_weights(opened->config_.spec, *opened->checkpoint_, dtype));
  return opened;
}

// Its --dtype is its checkpoint's: no number of it reaches an answer.
Result<void> OpenedModel::open_draft(Env& env, const std::string& model) {
  auto opened = open(env, model, "", model::WeightDtype::kAuto);
  if (!opened) return std::unexpected(std::move(opened).error().with_context("--speculative"));
  std::unique_ptr<OpenedModel> draft = std::move(*opened);
  if (draft->spec().vocab != spec().vocab) {
    return fail(Code::kInvalidArgument, fmt::format("--speculative {}", model),
                fmt::format("a vocabulary of {} tokens", draft->spec().vocab),
                fmt::format("the {} of the model it guesses for", spec().vocab),
                "use a smaller model of the same family, or --speculative ngram");
  }
  draft_ = std::move(draft);
  return {};
}

std::vector<std::string> OpenedModel::warnings() const {
  std::vector<std::string> all = config_.warnings;
  all.insert(all.end(), defaults_.warnings.begin(), defaults_.warnings.end());
  all.insert(all.end(), checkpoint_->warnings().begin(), checkpoint_->warnings().end());
  all.insert(all.end(), plan_.warnings.begin(), plan_.warnings.end());
  return all;
}

}  // namespace strata::engine
