// From what the user typed to a folder or a pack and its documents: a path, or org/name in the
// local Hugging Face cache (never the network). Documents come back as raw text within size limits;
// their meaning belongs to model and text. Also the rule which files a model folder may reach:
// links leave it only into the same cached model's blobs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "checkpoint/pack_format.h"

namespace strata::checkpoint {

struct ModelSource {
  std::string folder;    // canonical absolute path; of a pack: of the file
  std::string name;      // as typed: for messages and as the model's id
  std::string revision;  // the commit of a cached model; empty for a plain folder
  bool is_pack = false;
};

/// The model that comes with the program, found from where that lies.
inline constexpr std::string_view kEmbeddedModel = "pebble";

/// `model`: the path of a folder or of a pack, "org/name", or kEmbeddedModel. `revision`: branch,
/// tag or commit of a cached model, empty means "main". A path that exists wins. GGUF files:
/// kUnsupported. Missing in the cache: kNotFound with the command that downloads it.
Result<ModelSource> resolve_model(Env& env, const std::string& model,
                                  const std::string& revision = {});

/// The same for "org/name" and the cache alone; `revision` is not empty.
Result<ModelSource> resolve_cached_model(Env& env, const std::string& id,
                                         const std::string& revision);

struct ChatTemplateSource {
  std::string name;    // "default", or the name of a further one ("tool_use", "rag")
  std::string text;    // Jinja
  std::string origin;  // file it came from, relative to the folder
};

/// Raw texts of a model folder; absent files are nullopt. Sizes are limited, contents unchecked.
struct ModelDocuments {
  std::string config;  // config.json: the one document that must be there
  std::optional<std::string> generation_config;
  std::optional<std::string> tokenizer;
  std::optional<std::string> tokenizer_config;
  std::optional<std::string> special_tokens_map;
  /// From chat_template.jinja and additional_chat_templates/*.jinja; where these are absent, from
  /// tokenizer_config.json (a string or a list of named templates); empty where the model has none.
  /// "default" comes first where there is one.
  std::vector<ChatTemplateSource> chat_templates;
};

/// The files that a folder's documents are made from, as far as they are there. Sizes are limited.
Result<std::vector<NamedDocument>> read_document_files(Env& env, const ModelSource& source);

/// `files`: of a folder, or those that a pack holds; the limits hold for both.
Result<ModelDocuments> make_model_documents(std::vector<NamedDocument> files);

/// Canonical path of `folder`/`name` (`name` may hold "/"), refused where it lies outside the
/// folder and, for a folder in a hub cache (models--*/snapshots/*), outside that model's blobs.
/// kNotFound where it does not exist.
Result<std::string> path_in_folder(Env& env, const std::string& folder, const std::string& name);

/// A failure that names `path` names `name` instead: users know files by their place in the folder,
/// not in a cache.
Status named_in_folder(Status failure, const std::string& path, const std::string& name);

/// A plain relative file name: [A-Za-z0-9._-], up to 255 bytes, slashes only between non-empty
/// parts other than "." and "..".
bool is_safe_relative_name(const std::string& name);

}  // namespace strata::checkpoint
