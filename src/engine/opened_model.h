// A model's folder or pack with everything read but the weights: documents parsed, tensors found
// and checked. `inspect` stops here; the engine goes on to load.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/pack_file.h"
#include "model/config.h"
#include "model/weights.h"
#include "placement/plan.h"

namespace strata::engine {

/// On the heap and never moved: the plan points into the spec and the files.
class OpenedModel {
 public:
  /// `model`: a folder, a pack or org/name; `revision`: of a cached model, may be empty.
  static Result<std::unique_ptr<OpenedModel>> open(Env& env, const std::string& model,
                                                   const std::string& revision,
                                                   model::WeightDtype dtype);
  OpenedModel(const OpenedModel&) = delete;
  OpenedModel& operator=(const OpenedModel&) = delete;

  /// Opens the smaller model that guesses for this one (--speculative MODEL). kInvalidArgument
  /// where its vocabulary has another size.
  Result<void> open_draft(Env& env, const std::string& model);

  const checkpoint::ModelSource& source() const { return source_; }
  const checkpoint::ModelDocuments& documents() const { return documents_; }
  const model::ModelConfig& config() const { return config_; }
  const model::ModelSpec& spec() const { return config_.spec; }
  const model::GenerationDefaults& defaults() const { return defaults_; }
  /// Where the weights lie.
  model::WeightFiles files() const {
    return pack_ ? model::WeightFiles(*pack_) : model::WeightFiles(*checkpoint_);
  }
  const model::WeightPlan& plan() const { return plan_; }
  /// The weights as they lie in memory where all of them are there, coded ones expanded.
  const model::WeightPlan& expanded_plan() const { return expanded_ ? *expanded_ : plan_; }
  /// The one of the two that `placement` is made for.
  const model::WeightPlan& plan_for(const placement::PlacementPlan& placement) const {
    return placement.expanded ? expanded_plan() : plan_;
  }
  const OpenedModel* draft() const { return draft_.get(); }  // null: there is none
  /// What is odd but harmless, from all documents, one line each.
  std::vector<std::string> warnings() const;

 private:
  OpenedModel() = default;
  Result<std::vector<checkpoint::NamedDocument>> read_documents(Env& env);
  Result<void> bind(Env& env, model::WeightDtype dtype);

  checkpoint::ModelSource source_;
  checkpoint::ModelDocuments documents_;
  model::ModelConfig config_;
  model::GenerationDefaults defaults_;
  std::unique_ptr<checkpoint::Checkpoint> checkpoint_;  // one of the two is there
  std::unique_ptr<checkpoint::PackFile> pack_;
  model::WeightPlan plan_;
  std::optional<model::WeightPlan> expanded_;  // where the pack is coded
  std::unique_ptr<OpenedModel> draft_;
};

}  // namespace strata::engine
