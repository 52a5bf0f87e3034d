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

constexpr std::string_view kTemplateFile = "chat_template.jinja";
constexpr std::string_view kTemplateFolder = "additional_chat_templates";
constexpr std::string_view kTemplateEnding = ".jinja";
constexpr std::string_view kTokenizerConfig = "tokenizer_config.json";

class DocumentReader {
 public:
  DocumentReader(Env& env, const std::string& folder, std::vector<std::string> names)
      : env_(env), folder_(folder), names_(std::move(names)) {}

  bool has(std::string_view name) const { return std::ranges::binary_search(names_, name); }

  Result<std::string> required(const std::string& name, uint64_t max_bytes) {
    const std::string path = TRY(path_in_folder(env_, folder_, name));
    auto text = env_.read_small_file(path, max_bytes);
    if (text) return text;
    return std::unexpected(named_in_folder(std::move(text).error(), path, name));
  }

  // A listed name whose link leads nowhere is an incomplete download, hence an error.
  Result<std::optional<std::string>> optional(const std::string& name, uint64_t max_bytes) {
    if (!has(name)) return std::nullopt;
    return TRY(required(name, max_bytes));
  }

  Result<std::vector<ChatTemplateSource>> template_files() {
    std::vector<ChatTemplateSource> templates;
    if (has(kTemplateFile)) {
      const std::string name(kTemplateFile);
      std::string text = TRY(required(name, kMaxTemplateBytes));
      templates.push_back({"default", std::move(text), name});
    }
    if (!has(kTemplateFolder)) return templates;
    for (const std::string& name : TRY(env_.list_directory(join_path(folder_, kTemplateFolder)))) {
      if (!name.ends_with(kTemplateEnding)) continue;
      TRY(check_room(templates));
      const std::string file = join_path(kTemplateFolder, name);
      std::string text = TRY(required(file, kMaxTemplateBytes));
      const size_t stem = name.size() - kTemplateEnding.size();
      templates.push_back({name.substr(0, stem), std::move(text), file});
    }
    return templates;
  }

  static Result<void> check_room(const std::vector<ChatTemplateSource>& templates) {
    if (templates.size() < kMaxTemplates) return {};
    return fail(Code::kResourceLimit, "number of chat templates",
                "more than " + std::to_string(kMaxTemplates));
  }

 private:
  Env& env_;
  const std::string& folder_;
  std::vector<std::string> names_;  // sorted
};

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
    TRY(DocumentReader::check_room(templates));
    std::string name = TRY(get_string(row, "name"));
    std::string text = TRY(get_string(row, "template"));
    if (std::ranges::find(templates, name, &ChatTemplateSource::name) != templates.end()) {
      return fail(Code::kInvalidData, "chat_template: two templates have the name", name);
    }
    templates.push_back(TRY(checked_template(std::move(name), std::move(text))));
  }
  return templates;
}

Result<std::vector<ChatTemplateSource>> find_templates(DocumentReader& reader,
                                                       const ModelDocuments& documents) {
  auto templates = TRY(reader.template_files());
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

Result<ModelDocuments> read_model_documents(Env& env, const ModelSource& source) {
  DocumentReader reader(env, source.folder, TRY(env.list_directory(source.folder)));
  if (!reader.has("config.json")) {
    return fail(Code::kNotFound, "config.json is missing from " + source.folder, {}, {},
                "give the folder of a Hugging Face model");
  }
  ModelDocuments documents;
  documents.config = TRY(reader.required("config.json", kMaxConfigBytes));
  documents.generation_config = TRY(reader.optional("generation_config.json", kMaxConfigBytes));
  documents.tokenizer = TRY(reader.optional("tokenizer.json", kMaxTokenizerBytes));
  documents.tokenizer_config =
      TRY(reader.optional(std::string(kTokenizerConfig), kMaxTokenizerConfigBytes));
  documents.special_tokens_map = TRY(reader.optional("special_tokens_map.json", kMaxConfigBytes));
  documents.chat_templates = TRY(find_templates(reader, documents));
  return documents;
}

}  // namespace strata::checkpoint
