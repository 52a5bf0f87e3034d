// `strata pull`: a model from the hub to where every command finds it; the work is the layer hub's.
#pragma once

#include <string>

#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"
#include "hub/pull.h"

namespace strata::apps {

FieldList pull_fields();

/// kInvalidArgument for a MODEL that is no org/name, an endpoint that is none, or would see the
/// token unencrypted.
Result<hub::PullOptions> make_pull_args(Env& env, const std::string& model,
                                        const FieldValues& values);

/// Prints the snapshot's folder to standard output. kCancelled after Ctrl-C; what has arrived
/// stays.
Result<void> run_pull(Env& env, hub::PullOptions options);

}  // namespace strata::apps
