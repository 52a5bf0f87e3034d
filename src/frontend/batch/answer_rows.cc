// The envelope of OpenAI's rows.
#include "frontend/batch/answer_rows.h"

#include <utility>

#include "frontend/api_error.h"
#include "frontend/openai_response.h"

namespace strata::frontend {
namespace {

std::string row_text(const Json& custom_id, Json response, Json error) {
  const Json made = {{"id", random_id("batch_req_")},
                     {"custom_id", custom_id},
                     {"response", std::move(response)},
                     {"error", std::move(error)}};
  return made.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json response_json(int status, Json body) {
  return {{"status_code", status}, {"request_id", random_id("req_")}, {"body", std::move(body)}};
}

}  // namespace

std::string answered_row(const Json& custom_id, Json body) {
  return row_text(custom_id, response_json(200, std::move(body)), nullptr);
}

std::string refused_row(const Json& custom_id, const RowFault& fault) {
  const Status& status = fault.status;
  const Status here = fault.where.empty() ? status : Status(status).with_context(fault.where);
  Json error = {{"code", code_name(status.code)}, {"message", here.message()}};
  if (fault.line) error["line"] = *fault.line;
  return row_text(custom_id, response_json(http_status(status.code), error_body(status)),
                  std::move(error));
}

std::string unasked_row(const Json& custom_id, std::string_view code, std::string_view message) {
  return row_text(custom_id, nullptr, {{"code", code}, {"message", message}});
}

}  // namespace strata::frontend
