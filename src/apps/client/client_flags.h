// How commands that talk to a server reach it: its URL, its key, whose certificates are trusted.
// Between flags and the client of the layer server.
#pragma once

#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"
#include "server/client/api_client.h"

namespace strata::apps {

/// Beside --url and --api-key, which each command describes itself.
FieldList client_fields();
/// Reads the authorities. kInvalidArgument where the flags contradict each other.
Result<server::ApiClient::Config> make_client_config(Env& env, const FieldValues& values);

}  // namespace strata::apps
