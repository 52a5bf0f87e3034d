// What is known of a batch, as a value, and its two forms: OpenAI's object, and the record on the
// disk, which has its owner besides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "frontend/openai_request.h"

namespace strata::server {

enum class BatchStatus : uint8_t {
  kValidating,
  kInProgress,
  kFinalizing,
  kCompleted,
  kFailed,
  kCancelling,
  kCancelled,
  kExpired,
};
inline constexpr size_t kBatchStatuses = 8;

/// OpenAI's word for it.
std::string_view status_name(BatchStatus status);

/// Why a batch failed.
struct BatchFault {
  std::string code;
  std::string message;
  std::optional<int64_t> line = {};  // of the input
};

struct BatchRecord {
  std::string id;
  std::string owner;
  frontend::ApiKind kind = frontend::ApiKind::kChat;
  std::string input_file;
  Json metadata;  // null, or texts by name
  BatchStatus status = BatchStatus::kValidating;
  /// When it came to each status, in seconds since 1970; 0: it did not.
  int64_t at_s[kBatchStatuses] = {};
  int64_t expires_s = 0;
  int64_t rows = 0;
  int64_t answered = 0;
  int64_t refused = 0;
  std::vector<BatchFault> faults = {};
  std::string output_file;  // ids that are set before the files are there; empty: none
  std::string error_file;
  bool files_shown = false;  // they are there

  int64_t created_s() const { return at_s[static_cast<size_t>(BatchStatus::kValidating)]; }
  /// Nothing will change any more.
  bool ended() const;
  void move_to(BatchStatus next, int64_t now_s);
};

Json batch_json(const BatchRecord& batch);
Json batch_to_record(const BatchRecord& batch);
Result<BatchRecord> batch_from_record(const Json& record);

/// "/v1/chat/completions", "/v1/completions".
std::string_view endpoint_of(frontend::ApiKind kind);
Result<frontend::ApiKind> kind_of_endpoint(const std::string& endpoint);

/// The body of POST /v1/batches; without an id, an owner and times.
Result<BatchRecord> read_batch_request(const Json& body);

}  // namespace strata::server
