// Rows of a prompts file (JSON Lines), read one at a time: each is checked by itself, so that a bad
// one spoils nothing else. Text is not tokenized here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "base/line_reader.h"
#include "base/status.h"

namespace strata::apps {

struct PromptRow {
  int64_t line = 0;  // from 1
  std::string id;    // as text; a number in the file is taken as its digits
  Json id_json;      // as it stands in the file: answers repeat it
  /// Token ids, plain text, or a JSON array of chat messages.
  std::variant<std::vector<int32_t>, std::string, Json> prompt;
  Json sampling;  // its fields of sampling_fields.h, unread
};

/// A row that cannot be used: which, and why. `id_json` is null where the row has none.
struct BadRow {
  int64_t line = 0;
  Json id_json;
  Status status;
};

using AnyRow = std::variant<PromptRow, BadRow>;

class PromptReader {
 public:
  /// `ids_name_files`: ids must also be usable as file names.
  static Result<PromptReader> open(Env& env, const std::string& path, bool ids_name_files);

  /// The next row that is not blank; nullopt at the end. Fails only where the file cannot be read.
  Result<std::optional<AnyRow>> next();

 private:
  PromptReader(LineReader lines, std::string path, bool ids_name_files)
      : lines_(std::move(lines)), path_(std::move(path)), ids_name_files_(ids_name_files) {}
  AnyRow parse(const LineReader::Line& line);
  Result<PromptRow> parse_row(int64_t line, const Json& object, Json& id_json);

  LineReader lines_;
  std::string path_;
  bool ids_name_files_;
  std::set<std::string> seen_;
};

/// Whether `id` names a file inside a folder and nothing else: letters, digits, ".", "_", "-", no
/// leading dot, up to 200 bytes.
bool is_file_name(std::string_view id);

}  // namespace strata::apps
