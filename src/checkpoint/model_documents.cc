// The small text files of a model folder and where its chat templates come from.
#include <algorithm>

#include "base/json.h"
#include "checkpoint/model_folder.h"

namespace strata::checkpoint {
namespace {

// Several times the largest of each in use; together they bound what a hostile folder can make us
// hold.
constexpr uint64_t kMaxConfigBytes = 4 << 20;
constexpr uint64_t kMaxTokenizerBytes = 60'000'000;
constexpr uint64_t kMaxTokenizerConfigBytes = 6 << 20;
constexpr uint64_t kMaxTemplateBytes = 1 << 20;
constexpr size_t kMaxTokenizerConfigValues = 280'000;  // eight for each added token
constexpr size_t kMaxTemplates = 64;

constexpr std::string_view kConfig = "config.json";
constexpr std::string_view kTemplateFile = "chat_template.jinja";
constexpr std::string_view kTemplateFolder = "additional_chat_templates";
constexpr std::string_view kTemplateEnding = ".jinja";
constexpr std::string_view kTokenizerConfig = "tokenizer_config.json";

Result<void> check_size(const std::string& name, uint64_t bytes, uint64_t max_bytes) {
  if (bytes <= max_bytes) return {};
  return fail(Code::kResourceLimit, name + ": file size", std::to_string(bytes) + " bytes",
              "at most " + std::to_string(max_bytes));
}

bool is_template_file(std::string_view name) {
  return name.starts_with(kTemplateFolder) && name.ends_with(kTemplateEnding) &&
         name.size() > kTemplateFolder.size() + 1 + kTemplateEnding.size() &&
         name[kTemplateFolder.size()] == '/';
}

// 0: no file of that name is read.
uint64_t max_bytes_of(std::string_view name) {
  if (name == kConfig || name == "generation_config.json" || name == "special_tokens_map.json") {
    return kMaxConfigBytes;
  }
  if (name == "tokenizer.json") return kMaxTokenizerBytes;
  if (name == kTokenizerConfig) return kMaxTokenizerConfigBytes;
  return name == kTemplateFile || is_template_file(name) ? kMaxTemplateBytes : 0;
}

Result<void> check_room(size_t templates) {
  if (templates < kMaxTemplates) return {};
  return fail(Code::kResourceLimit, "number of chat templates",
              "more than " + std::to_string(kMaxTemplates));
}

Result<NamedDocument> read_document(Env& env, const std::string& folder, const std::string& name) {
  const std::string path = TRY(path_in_folder(env, folder, name));
  auto text = env.read_small_file(path, max_bytes_of(name));
  if (text) return NamedDocument{name, std::move(*text)};
  return std::unexpected(named_in_folder(std::move(text).error(), path, name));
}

// The template files among the documents.
Result<std::vector<ChatTemplateSource>> template_files(std::vector<NamedDocument>& files) {
  std::vector<ChatTemplateSource> templates;
  for (NamedDocument& file : files) {
    if (file.name != kTemplateFile && !is_template_file(file.name)) continue;
    TRY(check_room(templates.size()));
    const size_t start = kTemplateFolder.size() + 1;
    const std::string name =
        file.name == kTemplateFile
            ? "default"
            : file.name.substr(start, file.name.size() - start - kTemplateEnding.size());
    templates.push_back({name, std::move(file.text), file.name});
  }
  return templates;
}

Result<ChatTemplateSource> checked_template(std::string name, std::string text) {
  if (text.size() > kMaxTemplateBytes) {
    return fail(Code::kResourceLimit, "chat_template", std::to_string(text.size()) + " bytes",
                "at most " + std::to_string(kMaxTemplateBytes));
  }
  return ChatTemplateSource{std::move(name), std::move(text), std::string(kTokenizerConfig)};
}

// A string, or a list of {"name", "template"}.
Result<std::vector<ChatTemplateSource>> templates_of(const Json& config) {
  std::vector<ChatTemplateSource> templates;
  const Json* const value = find_member(config, "chat_template");
  if (value == nullptr || value->is_null()) return templates;
  if (value->is_string()) {
    templates.push_back(TRY(checked_template("default", value->get<std::string>())));
    return templates;
  }
  for (const Json& row : *TRY(get_array(config, "chat_template"))) {
    TRY(check_room(templates.size()));
    std::string name = TRY(get_string(row, "name"));
    std::string text = TRY(get_string(row, "template"));
    if (std::ranges::find(templates, name, &ChatTemplateSource::name) != templates.end()) {
      return fail(Code::kInvalidData, "chat_template: two templates have the name", name);
    }
    templates.push_back(TRY(checked_template(std::move(name), std::move(text))));
  }
  return templates;
}

Result<std::vector<ChatTemplateSource>> find_templates(std::vector<NamedDocument>& files,
                                                       const ModelDocuments& documents) {
  auto templates = TRY(template_files(files));
  if (templates.empty() && documents.tokenizer_config) {
    const Json config = TRY(parse_json_object(
        *documents.tokenizer_config, kTokenizerConfig,
        {.max_bytes = kMaxTokenizerConfigBytes, .max_values = kMaxTokenizerConfigValues}));
    templates = TRY(in_file(kTokenizerConfig, templates_of(config)));
  }
  std::ranges::stable_partition(templates, [](const auto& t) { return t.name == "default"; });
  return templates;
}

}  // namespace

Result<std::vector<NamedDocument>> read_document_files(Env& env, const ModelSource& source) {
  std::vector<std::string> names = TRY(env.list_directory(source.folder));
  if (std::ranges::binary_search(names, kTemplateFolder)) {
    for (const std::string& name :
         TRY(env.list_directory(join_path(source.folder, kTemplateFolder)))) {
      names.push_back(join_path(kTemplateFolder, name));
    }
  }
  std::vector<NamedDocument> files;
  size_t templates = 0;
  for (const std::string& name : names) {
    if (max_bytes_of(name) == 0) continue;
    if (is_template_file(name)) TRY(check_room(templates++));
    // A listed name whose link leads nowhere is an incomplete download, hence an error.
    files.push_back(TRY(read_document(env, source.folder, name)));
  }
  if (std::ranges::find(files, kConfig, &NamedDocument::name) == files.end()) {
    return fail(Code::kNotFound, "config.json is missing from " + source.folder, {}, {},
                "give the folder of a Hugging Face model");
  }
  return files;
}

Result<ModelDocuments> make_model_documents(std::vector<NamedDocument> files) {
  ModelDocuments documents;
  bool has_config = false;
  for (NamedDocument& file : files) {
    TRY(check_size(file.name, file.text.size(), max_bytes_of(file.name)));
    if (file.name == kConfig) has_config = true, documents.config = std::move(file.text);
    if (file.name == "generation_config.json") documents.generation_config = std::move(file.text);
    if (file.name == "tokenizer.json") documents.tokenizer = std::move(file.text);
    if (file.name == kTokenizerConfig) documents.tokenizer_config = std::move(file.text);
    if (file.name == "special_tokens_map.json") documents.special_tokens_map = std::move(file.text);
  }
  if (!has_config) return fail(Code::kInvalidData, "config.json is missing");
  documents.chat_templates = TRY(find_templates(files, documents));
  return documents;
}

}  // namespace strata::checkpoint
