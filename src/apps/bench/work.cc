// Sums over the spec's tensors and layers.
#include "apps/bench/work.h"

namespace strata::apps {

TokenWork token_work(const model::ModelSpec& spec, const model::WeightPlan& plan,
                     const model::KvLayout& kv) {
  TokenWork work;
  for (const model::TensorSpec& tensor : spec.tensors) {
    const bool outside =
        tensor.role == model::TensorRole::kEmbedding || tensor.role == model::TensorRole::kHead;
    if (tensor.is_matrix() && !outside)
      work.layer_ops += 2.0 * double(tensor.rows) * double(tensor.cols);
  }
  work.head_ops = 2.0 * double(spec.vocab) * double(spec.hidden);
  for (const model::LayerSpec& layer : spec.layers) {
    work.attention_ops_per_key +=
        4.0 * double(layer.attention.q_heads) * double(layer.attention.head_dim);
  }
  work.weight_bytes = double(plan.memory_bytes);
  for (const model::KvGroupSpec& group : kv.groups)
    work.kv_bytes_per_token += double(group.bytes_per_token());
  // A token reads one row of an untied embedding, not the table.
  if (!plan.tied_head) {
    work.weight_bytes -=
        double(tensor::packed_elements(spec.vocab, spec.hidden) * tensor::element_bytes(plan.kind));
  }
  return work;
}

}  // namespace strata::apps
