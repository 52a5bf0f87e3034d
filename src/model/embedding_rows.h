// The embedding of a model whose table stays on the disk: the rows that a step's tokens name are
// gathered, each as a panel of the compute layout, so that looking them up gives the bits of a
// table in memory. A folder's row is a few KB of its file; a pack holds panels of 32 rows, and one
// is read for a row. Between the forward pass and memory/row_reader.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "memory/row_reader.h"
#include "model/stream.h"
#include "model/weights.h"

namespace strata::model {

/// What gathering takes, known before anything is opened.
struct GatherCost {
  int64_t buffer_bytes = 0;  // of memory (MemoryTag::kRing)
  int64_t row_bytes = 0;     // read for a token, at most: neighbours share reads
};
GatherCost gather_cost(const WeightPlan& plan);

/// Which unit holds the embedding: the first, or with a tied head the last.
size_t embedding_unit(const WeightPlan& plan);

/// One thread uses it.
class EmbeddingRows {
 public:
  /// Takes the memory and opens the files; all of `setup` must outlive it. A pack's embedding that
  /// is no part of the head is read once and compared with its checksum, since nothing else reads
  /// it whole.
  static Result<std::unique_ptr<EmbeddingRows>> create(const StreamSetup& setup,
                                                       const memory::UnitSource& source,
                                                       void (*pack)(const tensor::PackArgs&),
                                                       IoKind io);

  /// Begins to read the rows of these tokens; nothing where they were asked for last and have not
  /// been looked up yet.
  void ask(std::span<const int32_t> ids);

  /// A panel that holds a token's row, which of its 32 that is, and which of the ids it is for.
  using Lookup = std::function<void(const tensor::PackedMatrix& panel, int32_t row, size_t index)>;
  /// Calls `lookup` for each of the ids, in any order. Fails as memory::RowReader::take, and with
  /// kInvalidData where a weight does not fit the product kind.
  Result<void> gather(std::span<const int32_t> ids, const Lookup& lookup,
                      const memory::StopCheck& stop);

  const memory::RowStats& stats() const { return reader_->stats(); }

 private:
  EmbeddingRows(const WeightPlan& plan, void (*pack)(const tensor::PackArgs&))
      : plan_(plan), pack_(pack) {}
  Result<tensor::PackedMatrix> panel_of(int64_t record, std::span<const std::byte> bytes);

  const WeightPlan& plan_;
  void (*pack_)(const tensor::PackArgs&);
  int64_t rows_per_record_ = 1;
  std::unique_ptr<memory::RowReader> reader_;
  device::Buffer panel_;  // of a folder: the row that was laid last
  memory::Charge panel_charge_;
  std::vector<std::byte> row_;  // and its bytes in the file, where its type can be read from
  std::vector<int32_t> asked_;
  std::vector<std::pair<int64_t, size_t>> wanted_;  // record, index into the ids; ascending
};

}  // namespace strata::model
