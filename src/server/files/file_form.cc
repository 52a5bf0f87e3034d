// OpenAI's parts: "purpose" and "file", in either order.
#include "server/files/file_form.h"

#include <fmt/core.h>

#include <utility>

#include "base/json.h"

namespace strata::server {
namespace {

constexpr size_t kMostPurposeBytes = 64;
constexpr size_t kMostNameBytes = 255;
constexpr std::string_view kPurpose = "batch";

std::unexpected<Status> twice(std::string_view part) {
  return fail(Code::kInvalidData, std::string(part), "twice", "one part of that name");
}

}  // namespace

std::string plain_filename(std::string_view given) {
  const size_t slash = given.find_last_of("/\\");
  if (slash != std::string_view::npos) given.remove_prefix(slash + 1);
  std::string made;
  for (const char c : given.substr(0, kMostNameBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    made += byte < 0x20 || byte == 0x7f ? '_' : c;
  }
  return made.empty() || made == "." || made == ".." ? "file" : made;
}

FileForm::FileForm(FileStore& store, std::string owner, const std::string& boundary)
    : store_(store),
      owner_(std::move(owner)),
      reader_(boundary, {.begin = [this](const PartHead& head) { return begin_part(head); },
                         .data = [this](std::string_view data) { return take_data(data); },
                         .end = []() -> Result<void> { return {}; }}) {}

Result<std::unique_ptr<FileForm>> FileForm::begin(FileStore& store, std::string owner,
                                                  std::string_view content_type) {
  const std::string boundary = TRY(multipart_boundary(content_type));
  return std::unique_ptr<FileForm>(new FileForm(store, std::move(owner), boundary));
}

Result<void> FileForm::begin_part(const PartHead& head) {
  if (head.name == "purpose") {
    if (std::exchange(has_purpose_, true)) return twice("purpose");
    part_ = Part::kPurpose;
    return {};
  }
  if (head.name != "file") {
    part_ = Part::kOther;
    if (head.name.starts_with("expires_after")) {
      return fail(Code::kUnsupported, "expires_after", {}, {},
                  "delete files by DELETE /v1/files/ID");
    }
    ignored_.push_back(head.name);
    return {};
  }
  if (upload_) return twice("file");
  if (has_purpose_) TRY(check_purpose());
  filename_ = plain_filename(head.filename.value_or(""));
  upload_ = TRY(store_.begin(owner_));
  part_ = Part::kFile;
  return {};
}

Result<void> FileForm::take_data(std::string_view data) {
  if (part_ == Part::kFile) return upload_->write(data);
  if (part_ == Part::kOther) return {};
  purpose_ += data.substr(0, kMostPurposeBytes + 1 - purpose_.size());
  if (purpose_.size() <= kMostPurposeBytes) return {};
  return check_purpose();
}

Result<void> FileForm::check_purpose() const {
  if (purpose_ == kPurpose) return {};
  const std::string got = has_purpose_ ? json_excerpt(purpose_) : "";
  return fail(Code::kUnsupported, "purpose", got, json_excerpt(std::string(kPurpose)));
}

Result<void> FileForm::push(std::string_view bytes) {
  auto pushed = reader_.push(bytes);
  if (!pushed) upload_.reset();
  return pushed;
}

Result<StoredFile> FileForm::finish() {
  const std::unique_ptr<FileStore::Upload> upload = std::move(upload_);
  TRY(reader_.finish());
  TRY(check_purpose());
  if (!upload) return fail(Code::kInvalidData, "file", {}, "a part with the file's bytes");
  return upload->finish(filename_, purpose_);
}

}  // namespace strata::server
