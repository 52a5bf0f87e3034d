// A model's folder to a pack: one file with everything that running the model needs, its weights in
// compute layout. Resumable at any moment; the same model gives the same bytes. Prints nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/pack_format.h"
#include "model/weights.h"

namespace strata::convert {

/// What is converted: a folder that was opened and bound.
struct ConvertSource {
  const std::vector<checkpoint::NamedDocument>& documents;
  const checkpoint::Checkpoint& checkpoint;
  const model::WeightPlan& plan;
};

struct ConvertOptions {
  std::string out;         // the pack's path
  bool overwrite = false;  // replace a pack that is there, begin anew where another was begun
  /// Codes matrices where that takes less (choose_coding.h); the same bits are computed.
  bool compress = false;
  int threads = 2;
  void (*pack)(const tensor::PackArgs&) = tensor::pack_rows;
  /// Bytes of units that are there so far, how many of them an earlier run had left, and all.
  std::function<void(int64_t done, int64_t kept, int64_t total)> progress = {};
  /// Bytes of weights looked at for their coding, before anything is written, and all.
  std::function<void(int64_t done, int64_t total)> coding_progress = {};
};

struct ConvertReport {
  int64_t file_bytes = 0;
  int64_t kept_bytes = 0;   // of an earlier run
  int64_t plain_bytes = 0;  // what the units would take if none were coded
  size_t units = 0;
  bool already_there = false;  // a pack of the same model and format: nothing was done
};

/// kResourceLimit where the disk has no room for it; kInvalidArgument where `out` is another file.
/// A failure in the middle leaves what was written in `out`.partial, to go on with. Needs a window
/// of units (unit_stream.h), the documents and a few MB, whatever the model's size; file pages that
/// it reads and writes do not stay.
Result<ConvertReport> convert_model(Env& env, const ConvertSource& source,
                                    const ConvertOptions& options);

}  // namespace strata::convert
