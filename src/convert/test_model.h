// For tests of this folder: a small model on disk, opened and bound, and packs made up from what
// they say of themselves. No product code includes it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "checkpoint/pack_format.h"
#include "convert/convert.h"
#include "model/config.h"
#include "model/test_support.h"

namespace strata::convert::testing {

/// What must stay for as long as a ConvertSource of it is used.
struct TestModel {
  TestModel(std::string config_text, const model::testing::TestTensors& tensors,
            model::WeightDtype dtype)
      : config(std::move(config_text)),
        spec(model::parse_config(config)->spec),
        folder(tensors),
        checkpoint(folder.open()),
        plan(*model::bind_weights(spec, checkpoint, dtype)),
        documents{{"config.json", config}, {"tokenizer.json", "words"}} {}

  ConvertSource source() const { return {documents, checkpoint, plan}; }

  std::string config;
  model::ModelSpec spec;
  model::testing::TestFolder folder;
  checkpoint::Checkpoint checkpoint;
  model::WeightPlan plan;
  std::vector<checkpoint::NamedDocument> documents;
};

/// The bytes of a finished pack that says so of itself, its units all zeros.
inline std::string made_up_pack(const checkpoint::PackContents& contents) {
  checkpoint::PackFront front = encode_front(contents);
  front.header.finished = true;
  front.header.front_checksum =
      checksum_of(std::as_bytes(std::span(front.bytes)).subspan(checkpoint::kPackHeaderBytes));
  std::string bytes = front.bytes;
  bytes.replace(0, checkpoint::kPackHeaderBytes, encode_header(front.header));
  bytes.resize(front.header.file_bytes, '\0');
  return bytes;
}

}  // namespace strata::convert::testing
