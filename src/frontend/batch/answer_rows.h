// Rows of an output file in OpenAI's batch format. Between what became of a request and the file
// that holds it; rows.h reads them again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace strata::frontend {

/// A row with its newline: the body of an answer with status 200.
std::string answered_row(const Json& custom_id, Json body);

/// A request that was asked and refused, or that could not be asked.
struct RowFault {
  Status status;
  std::string where = {};            // stands before the message: "in.jsonl:7"
  std::optional<int64_t> line = {};  // where the row has no id of its own to be known by
};
std::string refused_row(const Json& custom_id, const RowFault& fault);

/// A request that nobody will ask any more: no response.
std::string unasked_row(const Json& custom_id, std::string_view code, std::string_view message);

}  // namespace strata::frontend
