// One list of fields per subsystem makes its flags, their checks, `--help` and docs/flags.md. A
// field is data; a FieldValues holds what the user gave for a set of them. Turning values into a
// subsystem's Config is the subsystem's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace strata {

enum class FieldKind : uint8_t { kSwitch, kInteger, kNumber, kSize, kText, kChoice };

struct ConfigField {
  std::string_view
      name;  // "max-model-len": the flag is --max-model-len, --max_model_len means the same
  FieldKind kind = FieldKind::kText;
  std::string_view fallback =
      "";  // as the user would type it; a word ("auto", "model") is also accepted as a value
  std::string_view unit = "";  // "tokens"; for texts what to give: "FILE"
  double min = 0;              // kInteger, kNumber, kSize (bytes)
  double max = 0;
  std::string_view choices = "";  // kChoice: "auto|f32|bf16"
  std::string_view help = "";     // one sentence, no full stop
  bool secret = false;            // never shown
};

using FieldList = std::span<const ConfigField>;

/// Who said what a field's value is; the later ones win.
enum class OriginKind : uint8_t { kDefault, kFile, kEnvironment, kCommandLine };

struct FieldOrigin {
  OriginKind kind = OriginKind::kCommandLine;
  std::string where = {};  // "serve.yaml:3", "STRATA_PORT"; empty for the other two
};

/// Values for the fields of some lists; every field has one from the start, its default.
class FieldValues {
 public:
  /// The lists must outlive the values (they are tables).
  explicit FieldValues(std::vector<FieldList> lists);

  /// In place of what was set before. kInvalidArgument naming the flag (or the file's line and key,
  /// or the variable), the value and what is allowed. The name must exist: see find().
  Result<void> set(std::string_view name, std::string_view text, const FieldOrigin& origin = {});
  const ConfigField* find(std::string_view name) const;
  const std::vector<FieldList>& lists() const { return lists_; }

  /// By whomever.
  bool given(std::string_view name) const { return origins_.contains(name); }
  /// On the command line, for this run alone.
  bool typed(std::string_view name) const {
    return given(name) && origin(name).kind == OriginKind::kCommandLine;
  }
  FieldOrigin origin(std::string_view name) const;
  bool is_on(std::string_view name) const { return text(name) == "true"; }
  const std::string& text(std::string_view name) const;
  /// nullopt where the value is a word ("auto"). A size is in bytes.
  std::optional<int64_t> integer(std::string_view name) const;
  std::optional<double> number(std::string_view name) const;

 private:
  std::vector<FieldList> lists_;
  std::map<std::string, std::string, std::less<>> values_;
  std::map<std::string, FieldOrigin, std::less<>> origins_;  // of those that were set
};

/// Whether set() would take the text; `where` names the value in the failure: "--port".
Result<void> check_value(const ConfigField& field, std::string_view text, std::string where);

/// The variable of the environment that sets a field: STRATA_MAX_NUM_SEQS for "max-num-seqs".
std::string variable_of(std::string_view name);

/// Values of a kChoice field.
std::vector<std::string> choices_of(const ConfigField& field);

/// Bytes of "8GiB", "8G" (the same), "8GB" (powers of ten), "1.5GiB" or "8589934592"; nullopt where
/// it is no size, or beyond 2^62.
std::optional<int64_t> parse_size(std::string_view text);

/// "1 to 4096 tokens", "auto, f32 or bf16": what set() accepts.
std::string describe_range(const ConfigField& field);

/// The candidate that a mistyped word most likely meant; empty where none is near (two edits, or a
/// third of its length).
std::string closest_word(std::string_view word, const std::vector<std::string>& candidates);

/// Lines for `--help`: two columns, the flag and its help with default and range.
std::string help_lines(FieldList fields);

/// Rows of a Markdown table: flag, default, range, meaning.
std::string markdown_rows(FieldList fields);

}  // namespace strata
