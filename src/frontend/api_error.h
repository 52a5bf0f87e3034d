// A failure as OpenAI's error object. Between Status, which every layer returns, and the body of an
// HTTP answer or of a row of a batch; it decides no failure itself.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"

namespace strata::frontend {

/// 400 for what the client can mend, 404, 429, 499 where it went away, 500 for the rest.
int http_status(Code code);

/// {"error": {"message", "type", "param", "code"}}, all four always present. `param` is the field
/// that a Status begins with, where it names one.
Json error_body(const Status& status);

}  // namespace strata::frontend
