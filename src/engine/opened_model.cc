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
  auto files = TRY(opened->read_documents(env));
  opened->documents_ = TRY(checkpoint::make_model_documents(std::move(files)));
  const checkpoint::ModelDocuments& documents = opened->documents_;
  opened->config_ = TRY(model::parse_config(documents.config));
  opened->defaults_ =
      TRY(model::parse_generation_config(documents.generation_config, opened->config_));
  TRY(opened->bind(env, dtype));
  return opened;
}

Result<std::vector<checkpoint::NamedDocument>> OpenedModel::read_documents(Env& env) {
  if (!source_.is_pack) return checkpoint::read_document_files(env, source_);
  pack_ = std::make_unique<checkpoint::PackFile>(
      TRY(checkpoint::PackFile::open(env, source_.folder, source_.name)));
  return pack_->read_documents();
}

Result<void> OpenedModel::bind(Env& env, model::WeightDtype dtype) {
  if (pack_) {
    plan_ = TRY(model::bind_pack(config_.spec, *pack_, dtype));
    if (model::is_coded(plan_)) expanded_ = model::expanded_plan(plan_);
    return {};
  }
  checkpoint_ = std::make_unique<checkpoint::Checkpoint>(
      TRY(checkpoint::Checkpoint::open(env, source_.folder)));
  plan_ = TRY(model::bind_weights(config_.spec, *checkpoint_, dtype));
  return {};
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
  if (checkpoint_) {
    all.insert(all.end(), checkpoint_->warnings().begin(), checkpoint_->warnings().end());
  }
  all.insert(all.end(), plan_.warnings.begin(), plan_.warnings.end());
  return all;
}

}  // namespace strata::engine
