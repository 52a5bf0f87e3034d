// The Hugging Face hub's cache on this machine, shared with Python's huggingface_hub: where it is
// and what things in it are called. Reading models from it is model_folder.h's, writing the layer
// hub's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"

namespace strata::checkpoint {

/// "org/name" as the hub forms names: each part [A-Za-z0-9._-], up to 96 bytes, without "--", "..".
bool is_hub_id(std::string_view model);

/// A commit's hexadecimal number, as far as it goes.
bool is_commit(std::string_view text);

/// The cache itself: HF_HUB_CACHE, or hub below hub_home_folder(); empty where
/// none is set.
std::string hub_cache_folder(Env& env);

/// The folder that the cache and the token lie in: HF_HOME, or huggingface below XDG_CACHE_HOME or
/// ~/.cache; empty where none is set.
std::string hub_home_folder(Env& env);

/// "<hub>/models--org--name".
std::string cached_model_folder(const std::string& hub, const std::string& id);

/// An environment variable that is set and not empty.
std::optional<std::string> non_empty_env(Env& env, const std::string& name);

/// A leading "~" as the user's home: the hub's tools take it in their variables.
std::string expand_home(Env& env, const std::string& path);

}  // namespace strata::checkpoint
