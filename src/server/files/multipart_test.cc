// Forms as browsers and clients write them, cut anywhere, and forms that nobody should send.
#include "server/files/multipart.h"

#include <gtest/gtest.h>

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/files/file_form.h"

namespace strata::server {
namespace {

struct Part {
  std::string name;
  std::string filename;
  std::string data;
  bool ended = false;

  bool operator==(const Part&) const = default;
};

struct Read {
  std::vector<Part> parts;
  std::optional<Status> error;
};

Read read_form(const std::string& text, size_t piece, const std::string& boundary = "B") {
  Read made;
  const PartEvents events = {
      .begin = [&](const PartHead& head) -> Result<void> {
        made.parts.push_back({head.name, head.filename.value_or("-"), {}});
        return {};
      },
      .data = [&](std::string_view data) -> Result<void> {
        made.parts.back().data += data;
        return {};
      },
      .end = [&]() -> Result<void> {
        made.parts.back().ended = true;
        return {};
      },
  };
  MultipartReader reader(boundary, events);
  for (size_t at = 0; at < text.size(); at += piece) {
    const auto pushed = reader.push(std::string_view(text).substr(at, piece));
    if (!pushed) {
      made.error = pushed.error();
      return made;
    }
  }
  if (const auto ended = reader.finish(); !ended) made.error = ended.error();
  return made;
}

std::string part(const std::string& disposition, const std::string& data) {
  return "--B\r\nContent-Disposition: " + disposition + "\r\n\r\n" + data + "\r\n";
}

std::string field(const std::string& name, const std::string& data) {
  return part("form-data; name=\"" + name + "\"", data);
}

const std::string kEnd = "--B--\r\n";

TEST(MultipartTest, ReadsPartsHoweverTheBytesArrive) {
  const std::string text =
      field("purpose", "batch") +
      "--B\r\ncontent-type: application/jsonl\r\n"
      "content-disposition: form-data; name=file; filename=\"a \\\"b\\\";.jsonl\"\r\n\r\n"
      "{}\r\n--b\r\n--\r\n\r\n" +
      field("empty", "") + kEnd;
  const std::vector<Part> expected = {{"purpose", "-", "batch", true},
                                      {"file", "a \"b\";.jsonl", "{}\r\n--b\r\n--\r\n", true},
                                      {"empty", "-", "", true}};
  for (size_t piece = 1; piece <= text.size(); piece++) {
    const Read got = read_form(text, piece);
    EXPECT_FALSE(got.error) << piece << ": " << got.error->message();
    EXPECT_EQ(got.parts, expected) << piece;
  }
}

TEST(MultipartTest, RefusesAFormThatIsCutAnywhere) {
  const std::string text = field("purpose", "batch") + field("file", "{}\n") + "--B--";
  EXPECT_FALSE(read_form(text, 7).error);
  for (size_t size = 0; size < text.size(); size++) {
    EXPECT_TRUE(read_form(text.substr(0, size), 7).error) << size;
  }
}

TEST(MultipartTest, RefusesWhatIsNoForm) {
  std::string many;
  for (size_t i = 0; i <= MultipartReader::kMostParts; i++) many += field("a", "x");
  const std::vector<std::string> bad = {
      "x" + field("a", "1") + kEnd,                                     // before the first mark
      field("a", "1") + kEnd + "more",                                  // behind the last one
      "--B \r\n\r\n\r\n" + kEnd,                                        // a mark with a tail
      "--B\r\n\r\ndata\r\n" + kEnd,                                     // no head
      part("form-data", "1") + kEnd,                                    // no name
      part("form-data; name=\"\"", "1") + kEnd,                         // an empty one
      part("form-data; name=a; name=b", "1") + kEnd,                    // two
      part("form-data; name=a; filename=b; filename=c", "1") + kEnd,    //
      part("form-data; name=\"a", "1") + kEnd,                          // a quote without end
      part("form-data; name", "1") + kEnd,                              //
      part("attachment; name=a", "1") + kEnd,                           // another disposition
      part("form-data; name=a\r\nContent-Disposition: x", "1") + kEnd,  // two of them
      part("form-data; name=a\r\nContent-Transfer-Encoding: base64", "1") + kEnd,
      part("form-data; name=a\r\n folded", "1") + kEnd,
      part("form-data; name=\"a\nb\"", "1") + kEnd,
      part("form-data; name=a\r\nX: " + std::string(5000, 'x'), "1") + kEnd,
      "--B\r\nContent-Disposition: form-data; name=" + std::string(1 << 20, 'x'),
      many + kEnd,
  };
  for (const std::string& text : bad) {
    const Read got = read_form(text, 100);
    ASSERT_TRUE(got.error) << text.substr(0, 200);
    EXPECT_EQ(got.error->code, Code::kInvalidData);
  }
}

TEST(MultipartTest, FindsTheBoundaryOfAContentType) {
  const auto found = [](const std::string& type) {
    const auto boundary = multipart_boundary(type);
    return boundary ? *boundary : "error";
  };
  EXPECT_EQ(found("multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk"),
            "----WebKitFormBoundary7MA4YWxk");
  EXPECT_EQ(found("multipart/form-data; charset=utf-8; Boundary=\"a b:c\""), "a b:c");
  for (const std::string bad :
       {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary",
        "multipart/form-data; boundary=\"a", "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=a; boundary=b", "multipart/form-data; boundary=a\"b"}) {
    EXPECT_EQ(found(bad), "error") << bad;
  }
  EXPECT_EQ(found("multipart/form-data; boundary=" + std::string(70, 'x')), std::string(70, 'x'));
  EXPECT_EQ(found("multipart/form-data; boundary=" + std::string(71, 'x')), "error");
}

TEST(MultipartTest, FilenamesAreNoPaths) {
  EXPECT_EQ(plain_filename("rows.jsonl"), "rows.jsonl");
  EXPECT_EQ(plain_filename("../../etc/passwd"), "passwd");
  EXPECT_EQ(plain_filename("C:\\Users\\me\\rows.jsonl"), "rows.jsonl");
  EXPECT_EQ(plain_filename("a\nb\x7f"), "a_b_");
  for (const char* nothing : {"", "/", "..", "a/..", "."}) {
    EXPECT_EQ(plain_filename(nothing), "file") << nothing;
  }
  EXPECT_EQ(plain_filename(std::string(5000, 'x')).size(), 255u);
}

// What a reader holds back is bounded by the mark, whatever is sent.
TEST(MultipartTest, PassesDataOnAsItComes) {
  size_t passed = 0;
  const PartEvents events = {.begin = [](const PartHead&) -> Result<void> { return {}; },
                             .data = [&](std::string_view data) -> Result<void> {
                               passed += data.size();
                               return {};
                             },
                             .end = []() -> Result<void> { return {}; }};
  MultipartReader reader("B", events);
  ASSERT_TRUE(
      reader.push(std::string_view("--B\r\nContent-Disposition: form-data; name=file\r\n\r\n")));
  const std::string piece(1000, '\r');
  for (size_t sent = piece.size(); sent <= 100'000; sent += piece.size()) {
    ASSERT_TRUE(reader.push(piece));
    EXPECT_GE(passed + std::string_view("\r\n--B").size(), sent);
  }
}

}  // namespace
}  // namespace strata::server
