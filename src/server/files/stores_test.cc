// Files and batches on the disk: what is there after a restart, after a kill at any write, and
// after a disk that fills up at any write.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <functional>
#include <memory>

#include "server/files/batch_store.h"
#include "server/files/file_form.h"
#include "server/files/file_store.h"
#include "server/files/kill_env.h"
#include "server/files/list_page.h"

namespace strata::server {
namespace {

namespace fs = std::filesystem;
using testing::KillEnv;

constexpr const char* kMine = "mine";
const std::string kText = "{\"custom_id\": \"1\"}\n{\"custom_id\": \"2\"}\n";

// What a server has of its folder.
struct Kept {
  Kept(Env& env, const std::string& path, const FileLimits& limits = {})
      : folder(env, path), files(folder, limits), batches(folder) {
    opened = folder.open();
    if (opened) opened = batches.load();
    if (opened) opened = files.load(batches.coming_files());
  }
  Result<StoredFile> add(const std::string& owner = kMine, const std::string& text = kText) {
    auto upload = TRY(files.begin(owner));
    TRY(upload->write(text.substr(0, text.size() / 2)));
    TRY(upload->write(text.substr(text.size() / 2)));
    return upload->finish("rows.jsonl", "batch");
  }
  Result<BatchRecord> add_batch(const std::string& owner = kMine) {
    BatchRecord asked;
    asked.owner = owner;
    asked.input_file = TRY(add(owner)).id;
    return batches.create(std::move(asked));
  }

  StateFolder folder;
  FileStore files;
  BatchStore batches;
  Result<void> opened;
};

class StoresTest : public ::testing::Test {
 protected:
  StoresTest() {
    std::string name = ::testing::TempDir() + "/strata_files_XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  ~StoresTest() override { fs::remove_all(root_); }
  std::string path() const { return root_ + "/state/files"; }
  std::vector<std::string> names() const {
    auto made = real_env().list_directory(path()).value_or(std::vector<std::string>());
    std::erase(made, ".lock");
    return made;
  }
  static std::string content(const Kept& kept, const StoredFile& file) {
    return real_env().read_small_file(kept.files.path(file), 1 << 20).value_or("error");
  }

  std::string root_;
};

TEST_F(StoresTest, AFileSurvivesARestartAndIsItsOwnersAlone) {
  StoredFile file;
  {
    Kept kept(real_env(), path());
    ASSERT_TRUE(kept.opened);
    file = *kept.add();
    EXPECT_EQ(file.bytes, std::ssize(kText));
    EXPECT_EQ(content(kept, file), kText);
  }
  Kept kept(real_env(), path());
  ASSERT_EQ(kept.files.list(kMine).size(), 1u);
  EXPECT_EQ(file_json(kept.files.list(kMine)[0]), file_json(file));
  EXPECT_TRUE(kept.files.list("other").empty());
  const auto strange = kept.files.find("other", file.id);
  const auto unknown = kept.files.find("other", "file-0");
  ASSERT_FALSE(strange);
  EXPECT_EQ(strange.error().message(), unknown.error().message());
  EXPECT_FALSE(kept.files.remove("other", file.id));
  EXPECT_TRUE(kept.files.remove(kMine, file.id));
  EXPECT_TRUE(names().empty());
}

TEST_F(StoresTest, TheFolderIsThisUsersAndOneServersAlone) {
  Kept kept(real_env(), path());
  struct stat info;
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  const Kept second(real_env(), path());
  ASSERT_FALSE(second.opened);
  EXPECT_EQ(second.opened.error().code, Code::kUnavailable);
  const std::string open = root_ + "/open";
  fs::create_directory(open);
  fs::permissions(open, fs::perms(0755));
  const Kept third(real_env(), open);
  ASSERT_FALSE(third.opened);
  EXPECT_TRUE(third.opened.error().message().contains("chmod 700")) << third.opened.error().what;
}

TEST_F(StoresTest, LimitsAreNamedAndLeaveNothing) {
  const auto bytes = std::ssize(kText);
  Kept kept(real_env(), path(), {.file_bytes = bytes, .all_bytes = 3 * bytes - 1, .files = 3});
  const auto large = kept.add(kMine, kText + "x");
  ASSERT_FALSE(large);
  EXPECT_TRUE(large.error().message().contains("--files-max-bytes")) << large.error().message();
  ASSERT_TRUE(kept.add());
  ASSERT_TRUE(kept.add());
  const auto total = kept.add("other");
  ASSERT_FALSE(total);
  EXPECT_TRUE(total.error().message().contains("--files-max-total")) << total.error().message();
  EXPECT_EQ(names().size(), 4u) << "two files and their records";
  ASSERT_TRUE(kept.add(kMine, "x"));
  const auto many = kept.add(kMine, "x");
  ASSERT_FALSE(many);
  EXPECT_TRUE(many.error().message().contains("at most 3")) << many.error().message();
  EXPECT_TRUE(kept.add("other", "x")) << "another key's";
  ASSERT_TRUE(kept.files.remove(kMine, kept.files.list(kMine)[0].id));
  EXPECT_TRUE(kept.add(kMine, "x"));
}

TEST_F(StoresTest, AFullDiskRefusesTheUploadAndNothingElse) {
  StoredFile first;
  {
    Kept kept(real_env(), path());
    first = *kept.add();
  }
  bool whole = false;
  for (int64_t call = 0; !whole; call++) {
    FaultEnv full(real_env(), {.kind = FaultPlan::Kind::kNoSpace, .fail_call = call});
    Kept kept(full, path());
    if (!kept.opened) continue;
    const auto file = kept.add();
    whole = file.has_value();
    if (!file) {
      EXPECT_TRUE(file.error().message().contains("No space left")) << file.error().message();
      EXPECT_FALSE(file.error().message().contains(root_)) << "a path of the server";
      EXPECT_EQ(names().size(), 2u) << call;
    }
    EXPECT_EQ(content(kept, first), kText);
    ASSERT_LT(call, 100);
  }
}

// In a process of its own; true where it was killed.
bool killed_at(int64_t call, const std::function<void(Env&)>& work) {
  const pid_t child = fork();
  if (child == 0) {
    KillEnv env(call);
    work(env);
    ::_exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == KillEnv::kKilled;
}

TEST_F(StoresTest, AKillAtAnyWriteLeavesWholeFilesOrNone) {
  bool killed = true;
  for (int64_t call = 0; killed; call++) {
    killed = killed_at(call, [this](Env& env) { (void)Kept(env, path()).add_batch(); });
    Kept kept(real_env(), path());
    ASSERT_TRUE(kept.opened) << kept.opened.error().message();
    for (const StoredFile& file : kept.files.list(kMine)) EXPECT_EQ(content(kept, file), kText);
    const auto batches = kept.batches.list(kMine);
    EXPECT_EQ(killed ? 0u : 1u, batches.size()) << call;
    EXPECT_EQ(names().size(), 2 * kept.files.list(kMine).size() + batches.size()) << call;
    for (const StoredFile& file : kept.files.list(kMine)) {
      EXPECT_TRUE(kept.files.remove(kMine, file.id));
    }
    ASSERT_LT(call, 100);
  }
}

TEST_F(StoresTest, ABatchKeepsWhatIsKnownOfIt) {
  BatchRecord batch;
  {
    Kept kept(real_env(), path());
    batch = *kept.add_batch();
    ASSERT_TRUE(kept.batches.update(batch.id, [](BatchRecord& one) {
      one.move_to(BatchStatus::kInProgress, 77);
      one.metadata = {{"a", "b"}};
      one.rows = 3;
      one.output_file = "file-1";
      one.faults = {{.code = "c", .message = "m", .line = 5}, {.code = "d", .message = "n"}};
    }));
    kept.batches.note(batch.id, [](BatchRecord& one) { one.answered = 2; });
    EXPECT_EQ(kept.batches.get(batch.id)->answered, 2);
    EXPECT_EQ(kept.batches.reader_of(batch.input_file), batch.id);
  }
  Kept kept(real_env(), path());
  const Json shown = batch_json(*kept.batches.find(kMine, batch.id));
  EXPECT_EQ(shown["status"], "in_progress");
  EXPECT_EQ(shown["in_progress_at"], 77);
  EXPECT_EQ(shown["expires_at"], batch.created_s() + 86'400);
  EXPECT_EQ(shown["metadata"]["a"], "b");
  EXPECT_EQ(shown["errors"]["data"][0]["line"], 5);
  EXPECT_TRUE(shown["errors"]["data"][1]["line"].is_null());
  EXPECT_TRUE(shown["output_file_id"].is_null()) << "not there yet";
  EXPECT_EQ(shown["request_counts"]["total"], 3);
  EXPECT_FALSE(shown.contains("owner"));
  EXPECT_TRUE(kept.batches.coming_files().contains("file-1"));
  EXPECT_FALSE(kept.batches.find("other", batch.id));
}

TEST_F(StoresTest, ABatchIsCancelledOnceAndByItsOwner) {
  Kept kept(real_env(), path());
  const BatchRecord batch = *kept.add_batch();
  EXPECT_FALSE(kept.batches.cancel("other", batch.id));
  EXPECT_EQ(kept.batches.cancel(kMine, batch.id)->status, BatchStatus::kCancelling);
  EXPECT_EQ(kept.batches.cancel(kMine, batch.id)->status, BatchStatus::kCancelling);
  ASSERT_TRUE(kept.batches.update(
      batch.id, [](BatchRecord& one) { one.move_to(BatchStatus::kCancelled, 5); }));
  const auto late = kept.batches.cancel(kMine, batch.id);
  ASSERT_FALSE(late);
  EXPECT_TRUE(late.error().message().contains("cancelled")) << late.error().message();
  EXPECT_FALSE(kept.batches.next([](const std::string&) { return true; }));
}

TEST_F(StoresTest, ABatchOfAFullDiskIsNotCreated) {
  Kept before(real_env(), path());
  BatchRecord asked;
  asked.owner = kMine;
  for (int64_t call = 0;; call++) {
    FaultEnv full(real_env(), {.kind = FaultPlan::Kind::kNoSpace, .fail_call = call});
    StateFolder folder(full, path());
    BatchStore batches(folder);
    if (batches.create(asked)) break;
    EXPECT_TRUE(batches.list(kMine).empty());
    EXPECT_TRUE(names().empty());
    ASSERT_LT(call, 100);
  }
}

TEST_F(StoresTest, DamagedRecordsAreLeftOut) {
  {
    Kept kept(real_env(), path());
    ASSERT_TRUE(kept.add_batch());
    for (const char* name : {"file-bad.json", "batch_bad.json"}) {
      const auto file = real_env().open_writable(kept.folder.path(name), WriteMode::kTruncate);
      ASSERT_TRUE((*file)->write(std::string_view("{\"owner\": 5}")));
    }
  }
  const Kept kept(real_env(), path());
  EXPECT_TRUE(kept.opened);
  EXPECT_EQ(kept.files.list(kMine).size(), 1u);
  EXPECT_EQ(kept.batches.list(kMine).size(), 1u);
}

std::string form(const std::string& parts) { return parts + "--B--\r\n"; }
std::string field(const std::string& name, const std::string& data) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + data + "\r\n";
}

Result<StoredFile> upload(FileStore& files, const std::string& body) {
  auto read = TRY(FileForm::begin(files, kMine, "multipart/form-data; boundary=B"));
  TRY(read->push(body));
  return read->finish();
}

TEST_F(StoresTest, AFormIsAFileOrNothing) {
  Kept kept(real_env(), path());
  const auto file = upload(kept.files, form(field("file", kText) + field("purpose", "batch")));
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(content(kept, *file), kText);
  const std::pair<std::string, std::string> bad[] = {
      {form(field("purpose", "batch")), "file"},
      {form(field("file", kText)), "purpose"},
      {form(field("file", kText) + field("purpose", "fine-tune")), "purpose"},
      {form(field("purpose", "x") + field("file", kText)), "purpose"},
      {form(field("purpose", std::string(1 << 20, 'x'))), "purpose"},
      {form(field("file", kText) + field("file", kText)), "file"},
      {form(field("expires_after[anchor]", "created_at")), "expires_after"},
      {field("purpose", "batch") + field("file", kText), "the form"},
  };
  for (const auto& [body, what] : bad) {
    const auto refused = upload(kept.files, body);
    ASSERT_FALSE(refused) << body.substr(0, 300);
    EXPECT_TRUE(refused.error().what.starts_with(what)) << refused.error().message();
    EXPECT_EQ(names().size(), 2u);
  }
}

struct Item {
  std::string id;
};
Json show(const Item& item) { return {{"id", item.id}}; }

TEST(ListPageTest, PagesThroughAList) {
  const std::vector<Item> all = {{"c"}, {"b"}, {"a"}};
  const auto page = [&](const std::string& target) -> Result<Json> {
    return list_page(all, TRY(read_list_query(target, 100, 20)), show);
  };
  const auto ids = [](const Json& list) {
    std::string made;
    for (const Json& one : list["data"]) made += one["id"].get<std::string>();
    return made;
  };
  EXPECT_EQ(ids(*page("/v1/batches")), "cba");
  EXPECT_EQ((*page("/v1/batches"))["has_more"], false);
  EXPECT_EQ(ids(*page("/x?limit=2")), "cb");
  EXPECT_EQ((*page("/x?limit=2"))["has_more"], true);
  EXPECT_EQ(ids(*page("/x?limit=2&after=b")), "a");
  EXPECT_EQ(ids(*page("/x?order=asc&limit=1&after=a")), "b");
  EXPECT_TRUE((*page("/x?after=a"))["first_id"].is_null());
  for (const char* bad : {"/x?limit=0", "/x?limit=101", "/x?limit=x", "/x?limit=", "/x?after=z",
                          "/x?order=up", "/x?limit=1%30"}) {
    EXPECT_FALSE(page(bad)) << bad;
  }
}

}  // namespace
}  // namespace strata::server
