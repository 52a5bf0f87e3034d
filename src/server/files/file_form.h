// The form that uploads a file: which of its parts mean what. Between the multipart reader and the
// store; it holds no more of the file than a piece.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "server/files/file_store.h"
#include "server/files/multipart.h"

namespace strata::server {

class FileForm {
 public:
  /// The store must outlive the form. kInvalidData where Content-Type names no boundary.
  static Result<std::unique_ptr<FileForm>> begin(FileStore& store, std::string owner,
                                                 std::string_view content_type);
  /// What follows of the body. After a failure nothing of the file stays.
  Result<void> push(std::string_view bytes);
  Result<StoredFile> finish();
  /// Parts that nobody knows.
  const std::vector<std::string>& ignored() const { return ignored_; }

 private:
  FileForm(FileStore& store, std::string owner, const std::string& boundary);
  Result<void> begin_part(const PartHead& head);
  Result<void> take_data(std::string_view data);
  Result<void> check_purpose() const;

  enum class Part : uint8_t { kFile, kPurpose, kOther };
  FileStore& store_;
  const std::string owner_;
  MultipartReader reader_;
  Part part_ = Part::kOther;
  std::unique_ptr<FileStore::Upload> upload_;
  std::string filename_;
  std::string purpose_;
  bool has_purpose_ = false;
  std::vector<std::string> ignored_;
};

/// A client's name for a file as we tell it again: the last part of a path, without control
/// characters, 255 bytes at most.
std::string plain_filename(std::string_view given);

}  // namespace strata::server
