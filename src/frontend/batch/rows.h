// The rows of a file in OpenAI's batch format, and the ids of those that an earlier run answered.
// Between lines and requests: bodies are not read here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <variant>

#include "base/env.h"
#include "base/json.h"
#include "base/line_reader.h"
#include "base/status.h"
#include "engine/block_chain.h"
#include "frontend/openai_request.h"

namespace strata::frontend {

/// Texts, kept as 128-bit hashes under a secret key, so that a file of any length needs about 50
/// bytes a row.
class IdSet {
 public:
  /// False where it was there.
  bool insert(std::string_view id);
  bool contains(std::string_view id) const;
  size_t size() const { return hashes_.size(); }
  int64_t bytes() const;

 private:
  struct Low {
    size_t operator()(const sched::BlockHash& hash) const { return hash.low; }
  };
  sched::BlockHash hash(std::string_view id) const;

  engine::ChainKey key_ = engine::ChainKey::random();
  std::unordered_set<sched::BlockHash, Low> hashes_;
};

struct BatchRow {
  int64_t line = 0;
  std::string custom_id;
  ApiKind kind = ApiKind::kChat;
  Json body;
};

/// A row that cannot be asked: which, and why. `custom_id` is null where the row has none, or one
/// of another row.
struct BadBatchRow {
  int64_t line = 0;
  Json custom_id;
  Status status;
};

using AnyBatchRow = std::variant<BatchRow, BadBatchRow>;

class BatchReader {
 public:
  static Result<BatchReader> open(Env& env, const std::string& path);

  /// The next row; nullopt at the end. Fails only where the file cannot be read.
  Result<std::optional<AnyBatchRow>> next();

  uint64_t file_bytes() const { return lines_.file_bytes(); }
  uint64_t bytes_taken() const { return lines_.bytes_taken(); }
  /// What the ids of the rows so far take.
  int64_t id_bytes() const { return seen_.bytes(); }

 private:
  explicit BatchReader(LineReader lines) : lines_(std::move(lines)) {}
  AnyBatchRow parse(const LineReader::Line& line);

  LineReader lines_;
  IdSet seen_;
};

/// What stands in an output file that a run has left behind.
struct EarlierAnswers {
  IdSet ids;
  std::set<int64_t> bad_lines;  // of rows that could not be asked
  int64_t rows = 0;
  int64_t errors = 0;
  uint64_t whole_bytes = 0;  // up to the end of the last whole row

  int64_t bytes() const;
};

/// Nothing where there is no file. kInvalidData where a row is no answer: then the file is
/// something else.
Result<EarlierAnswers> read_earlier_answers(Env& env, const std::string& path);

}  // namespace strata::frontend
