// A model whose weights stay on the disk, through the real program, on a disk that fails: reads
// that bring half, that fail, that are slow; a file cut under a run; a full disk and a signal.
// Nothing of it may yield a wrong token. Faults of the disk are made by preload.cc.
#include <algorithm>
#include <map>
#include <thread>

#include "api/cli_fixture.h"

namespace strata::testing {
namespace {

class StreamingFault : public CliTest {
 protected:
  static void SetUpTestSuite() {
    CliTest::SetUpTestSuite();
    const fs::path tools = fs::path(environment("STRATA_SOURCE_DIR")) / "tools";
    ASSERT_EQ(run({"/usr/bin/env", "python3", tools / "make_random_model.py", "--shape", "small",
                   small()})
                  .exit_code,
              0);
    ASSERT_EQ(strata({"convert", small(), "--out", pack()}).exit_code, 0);
    std::ofstream rows(file("in.jsonl"));
    for (int i = 0; i < 24; i++) {
      Json body = {{"model", "m"},     {"prompt", {i, 2 * i, 3 * i + 1}},
                   {"max_tokens", 12}, {"temperature", 0},
                   {"logprobs", 2},    {"ignore_eos", true}};
      rows << Json{{"custom_id", std::to_string(i)},
                   {"method", "POST"},
                   {"url", "/v1/completions"},
                   {"body", body}}
                  .dump()
           << "\n";
    }
  }
  void SetUp() override {
    fs::remove(file("out.jsonl"));
    for (const char* name : {"STRATA_FAULT", "STRATA_FAULT_FILE", "LD_PRELOAD"}) ::unsetenv(name);
  }
  void TearDown() override { SetUp(); }

  static fs::path small() { return file("small"); }
  static fs::path pack() { return file("small.pack"); }
  static void order(const std::string& fault, const std::string& where) {
    ::setenv("STRATA_FAULT", fault.c_str(), 1);
    ::setenv("STRATA_FAULT_FILE", where.c_str(), 1);
    const fs::path library = fs::path(environment("STRATA_BINARY_DIR")) / "libfault_preload.so";
    ASSERT_TRUE(fs::exists(library));
    ::setenv("LD_PRELOAD", library.c_str(), 1);
  }
  static std::vector<std::string> command(const fs::path& model, const std::string& io) {
    return {binary(),
            "batch",
            model,
            file("in.jsonl"),
            file("out.jsonl"),
            "--weights-on",
            "disk",
            "--io",
            io,
            "--max-num-seqs",
            "4",
            "--max-model-len",
            "64",
            "--threads",
            "2"};
  }
  // What each row says, by its id.
  static std::map<std::string, Json> answers() {
    std::map<std::string, Json> found;
    for (const Json& row : read_rows(file("out.jsonl"))) found[row["custom_id"]] = row;
    return found;
  }
  static std::map<std::string, Json> undisturbed() {
    static const std::map<std::string, Json> kAnswers = [] {
      EXPECT_EQ(run({binary(), "batch", small(), file("in.jsonl"), file("out.jsonl"),
                     "--max-model-len", "64"})
                    .exit_code,
                0);
      return answers();
    }();
    fs::remove(file("out.jsonl"));
    return kAnswers;
  }
  // How many rows ended with an error; the others must be right.
  static int errors_among(const std::map<std::string, Json>& found, const std::string& part) {
    int errors = 0;
    const auto expected = undisturbed();
    for (const auto& [id, row] : found) {
      if (row["error"].is_null()) {
        EXPECT_EQ(row["response"]["body"]["choices"],
                  expected.at(id)["response"]["body"]["choices"])
            << id;
        continue;
      }
      errors++;
      EXPECT_NE(row["error"]["message"].get<std::string>().find(part), std::string::npos) << row;
    }
    return errors;
  }
};

TEST_F(StreamingFault, StreamedAnswersAreThoseOfAModelInMemory) {
  const auto expected = undisturbed();
  for (const fs::path& model : {small(), pack()}) {
    for (const char* io : {"auto", "pread"}) {
      fs::remove(file("out.jsonl"));
      const Done done = run(command(model, io));
      ASSERT_EQ(done.exit_code, 0) << done.errors;
      EXPECT_EQ(answers().size(), expected.size());
      EXPECT_EQ(errors_among(answers(), ""), 0);
    }
  }
}

TEST_F(StreamingFault, ReadsThatBringHalfAreGoneOnWith) {
  const auto expected = undisturbed();
  order("short:3", "small");
  for (const fs::path& model : {small(), pack()}) {
    fs::remove(file("out.jsonl"));
    const Done done = run(command(model, "pread"));
    ASSERT_EQ(done.exit_code, 0) << done.errors;
    EXPECT_EQ(answers().size(), expected.size());
    EXPECT_EQ(errors_among(answers(), ""), 0);
  }
}

TEST_F(StreamingFault, AReadThatFailsEndsItsRowsAndNoOthers) {
  const auto expected = undisturbed();
  order("eio:400", "small.pack");
  const Done done = run(command(pack(), "pread"));
  EXPECT_EQ(done.exit_code, 65) << done.errors;
  const auto found = answers();
  EXPECT_EQ(found.size(), expected.size());
  const int errors = errors_among(found, "small.pack");
  EXPECT_GE(errors, 1);
  EXPECT_LE(errors, 4) << "more than ran in the step";
}

TEST_F(StreamingFault, ASlowDiskOnlyTakesLonger) {
  const auto expected = undisturbed();
  order("slow:300", "small.pack");
  const Done done = run(command(pack(), "pread"));
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(answers().size(), expected.size());
  EXPECT_EQ(errors_among(answers(), ""), 0);
}

TEST_F(StreamingFault, AFileCutUnderARunGivesErrorsAndNoWrongToken) {
  const auto expected = undisturbed();
  for (const char* io : {"auto", "pread"}) {
    const fs::path cut = file("cut.pack");
    fs::copy_file(pack(), cut, fs::copy_options::overwrite_existing);
    fs::remove(file("out.jsonl"));
    order("slow:100", "cut.pack");
    std::ofstream(file("stdin")) << "";
    const pid_t child = start(command(cut, io), file("stdin"));
    const auto rows = [] { return std::ranges::count(read_file(file("out.jsonl")), '\n'); };
    while (rows() < 2 && ::kill(child, 0) == 0) std::this_thread::yield();
    fs::resize_file(cut, fs::file_size(cut) / 2);
    const Done done = finish(child);
    const auto found = answers();
    EXPECT_EQ(found.size(), expected.size()) << io << done.errors;
    const int errors = errors_among(found, "cut.pack");
    EXPECT_EQ(done.exit_code, errors > 0 ? 65 : 0) << done.errors;
  }
}

TEST_F(StreamingFault, ASignalInMidPassLeavesWholeRowsToGoOnFrom) {
  const auto expected = undisturbed();
  for (const int signal : {SIGTERM, SIGKILL}) {
    fs::remove(file("out.jsonl"));
    order("slow:200", "small.pack");
    std::ofstream(file("stdin")) << "";
    const pid_t child = start(command(pack(), "pread"), file("stdin"));
    while (!fs::exists(file("out.jsonl")) || read_file(file("out.jsonl")).size() < 100) {
      std::this_thread::yield();
    }
    ::kill(child, signal);
    const Done stopped = finish(child);
    EXPECT_NE(stopped.exit_code, 0);
    ::unsetenv("LD_PRELOAD");
    auto again = command(pack(), "auto");
    again.emplace_back("--resume");
    const Done done = run(again);
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    EXPECT_EQ(answers().size(), expected.size());
    EXPECT_EQ(errors_among(answers(), ""), 0);
  }
}

TEST_F(StreamingFault, AFullDiskStopsAConversionThatThenGoesOn) {
  const std::string whole = read_file(pack());
  const fs::path made = file("full.pack");
  for (const char* fault : {"full:0", "full:1", "full:3", "full:9"}) {
    order(fault, "full.pack");
    const Done stopped = strata({"convert", small(), "--out", made});
    EXPECT_NE(stopped.exit_code, 0) << fault;
    EXPECT_NE(stopped.errors.find("No space left"), std::string::npos) << stopped.errors;
    EXPECT_FALSE(fs::exists(made));
    ::unsetenv("LD_PRELOAD");
    if (fs::exists(file("full.pack.partial"))) {
      EXPECT_NE(strata({"inspect", file("full.pack.partial")}).exit_code, 0);
    }
  }
  const Done done = strata({"convert", small(), "--out", made});
  EXPECT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_TRUE(read_file(made) == whole);
}

}  // namespace
}  // namespace strata::testing
