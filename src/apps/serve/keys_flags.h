// The keys that a server asks for, and what each may ask of it: flags, the environment and a file
// of keys to values. How limits are kept is the layer server's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"
#include "server/keys/api_keys.h"

namespace strata::apps {

FieldList keys_fields();
/// What flags say of every key, or of everybody where there is none.
server::KeyLimit default_limit(const FieldValues& values);
/// Reads the file of keys. kInvalidData naming the line, never the key.
Result<server::ApiKeys> read_keys(Env& env, const FieldValues& values);

/// The parts of a list, without spaces and carriage returns at their ends; empty ones are left out.
std::vector<std::string> split_list(std::string_view text, char at);

}  // namespace strata::apps
