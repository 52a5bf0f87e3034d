// The flags that give a server its certificate. What is wrong with the files is said by the layer
// server; what contradicts itself, here.
#pragma once

#include <optional>

#include "base/config_fields.h"
#include "base/status.h"
#include "server/tls/tls_context.h"

namespace strata::apps {

FieldList tls_fields();
/// Nothing without --ssl-certfile. kInvalidArgument where one of the two is missing, or a flag has
/// nothing to be about.
Result<std::optional<server::ServerTls>> make_tls_files(const FieldValues& values);

}  // namespace strata::apps
