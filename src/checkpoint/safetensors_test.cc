// Every way in which a safetensors header can lie: group A of the bad-input catalogue, a file cut
// at each byte, every failed read; and the odd files that must be accepted.
#include "checkpoint/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/fault_env.h"
#include "checkpoint/test_folder.h"

namespace strata::checkpoint {
namespace {

class Safetensors : public ::testing::Test {
 protected:
  Result<std::vector<TensorEntry>> read_path(const std::string& path) {
    const auto file = TRY(real_env().open_readable(path));
    return read_safetensors_header(*file, "m.safetensors", 7);
  }
  Result<std::vector<TensorEntry>> read_bytes(std::string_view bytes) {
    return read_safetensors_header(MemoryFile(bytes), "m.safetensors", 7);
  }
  Result<std::vector<TensorEntry>> read(std::string_view header, size_t data_bytes) {
    return read_bytes(safetensors_bytes(header, data_bytes));
  }

  // The failure's message; every one must name the file.
  std::string message(const Result<std::vector<TensorEntry>>& result) {
    if (result) return "accepted";
    EXPECT_TRUE(result.error().what.starts_with("m.safetensors: ") ||
                result.error().what == "m.safetensors")
        << result.error().what;
    return result.error().message();
  }
  void expect_refused(std::string_view header, size_t data_bytes, std::string_view part = "") {
    const std::string text = message(read(header, data_bytes));
    EXPECT_NE(text, "accepted") << header;
    EXPECT_NE(text.find(part), std::string::npos) << header << "\n" << text;
  }
  void expect_bytes_refused(std::string_view bytes, std::string_view part) {
    const std::string text = message(read_bytes(bytes));
    EXPECT_NE(text, "accepted") << bytes.substr(0, 60);
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }

  TestFolder folder_;
};

std::string good_header() {
  return R"({"__metadata__":{"format":"pt"},)" + tensor_json("b", "F32", "[2,3]", 8, 32) + "," +
         tensor_json("a", "BF16", "[4]", 0, 8) + "}";
}

// A length that lies, before `rest`.
std::string with_length(uint64_t length, std::string_view rest) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(length >> (8 * i) & 255);
  return out.append(rest);
}

TEST_F(Safetensors, GoodFile) {
  const auto entries = read(good_header(), 32);
  ASSERT_TRUE(entries) << message(entries);
  ASSERT_EQ(entries->size(), 2u);
  const TensorEntry& first = (*entries)[0];
  EXPECT_EQ(first.name, "a");
  EXPECT_EQ(first.dtype, tensor::DType::kBF16);
  EXPECT_EQ(first.shape, (std::vector<int64_t>{4}));
  EXPECT_EQ(first.file, 7u);
  EXPECT_EQ(first.offset, 8 + good_header().size());
  EXPECT_EQ(first.bytes, 8u);
  const TensorEntry& second = (*entries)[1];
  EXPECT_EQ(second.name, "b");
  EXPECT_EQ(second.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(second.offset, first.offset + 8);
  EXPECT_EQ(second.bytes, 24u);
}

TEST_F(Safetensors, EveryDType) {
  const std::pair<std::string_view, uint64_t> kinds[] = {
      {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},     {"I32", 4},
      {"I16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  for (const auto& [dtype, bytes] : kinds) {
    const auto entries =
        read(header_json({tensor_json("a", dtype, "[3]", 0, 3 * bytes)}), 3 * bytes);
    ASSERT_TRUE(entries) << dtype << message(entries);
    EXPECT_EQ(tensor::dtype_bytes((*entries)[0].dtype), bytes);
  }
}

TEST_F(Safetensors, A01TooShort) {
  for (const size_t bytes : {0u, 7u, 8u, 9u}) {
    expect_bytes_refused(std::string(bytes, '\0'), "too short");
  }
  EXPECT_TRUE(read("{}", 0));
}

TEST_F(Safetensors, A02HeaderLengthLies) {
  const std::string good = good_header();
  const std::string data(32, 'x');
  for (const uint64_t length :
       {uint64_t{0}, uint64_t{1}, uint64_t{good.size() + 33}, uint64_t{1} << 63, ~uint64_t{0},
        ~uint64_t{0} - 7, uint64_t{1} << 32}) {
    expect_bytes_refused(with_length(length, good + data), "header length");
  }
  expect_bytes_refused(with_length(good.size() - 1, good + data), "m.safetensors");
  expect_bytes_refused(with_length(good.size() + 1, good + data + "x"), "bytes after the JSON");
}

TEST_F(Safetensors, A03HeaderLimit) {
  const std::string path = folder_.put("big", with_length(kMaxHeaderBytes + 1, "{"));
  ASSERT_EQ(::truncate(path.c_str(), off_t{1} << 31), 0);
  EXPECT_NE(message(read_path(path)).find("header limit"), std::string::npos);
  folder_.put("big", with_length(kMaxHeaderBytes, "{"));
  ASSERT_EQ(::truncate(path.c_str(), off_t{1} << 31), 0);
  EXPECT_EQ(message(read_path(path)).find("header limit"), std::string::npos);
}

TEST_F(Safetensors, A04HeaderIsNoObject) {
  expect_bytes_refused(with_length(0, "{}"), "header length");
  expect_refused("[]", 0, "does not begin");
  expect_refused("\"a\"", 0, "does not begin");
  expect_refused(" {}", 0, "does not begin");
  expect_refused("{\"a\"", 0);
  expect_refused("{}}", 0, "bytes after");
  expect_refused("{}\n", 0, "bytes after");
  expect_refused(std::string("{}\0", 3), 0, "bytes after");
  expect_refused("{} x", 0, "bytes after");
}

TEST_F(Safetensors, A05EncodingErrorsGiveTheByte) {
  expect_refused("{\"\xff\":{}}", 0, "at byte 11: invalid UTF-8");
  expect_refused(std::string("{\"\0\":{}}", 8), 0, "at byte 11: a control character");
  expect_refused("\xef\xbb\xbf{}", 0, "does not begin");
  expect_refused("{\"__metadata__\":{\"a\":\"\xc0\xaf\"}}", 0, "invalid UTF-8");
}

TEST_F(Safetensors, A06Metadata) {
  std::string deep = R"({"__metadata__":{"a":)";
  for (int i = 0; i < 10'000; ++i) deep += "{\"a\":";
  expect_refused(deep, 0, "expected a string");
  expect_refused(std::string(R"({"__metadata__":)").append(10'000, '['), 0, "expected '{'");
  for (const char* value : {"1", "null", "[]", "{}", "true"}) {
    expect_refused(R"({"__metadata__":{"a":)" + std::string(value) + "}}", 0, "expected a string");
  }
  expect_refused(R"({"__metadata__":"x"})", 0);
  EXPECT_TRUE(read(R"({"__metadata__":{"a":")" + std::string(1'000'000, 'x') + "\"}}", 0));
}

TEST_F(Safetensors, A07Duplicates) {
  const std::string a = tensor_json("a", "U8", "[1]", 0, 1);
  expect_refused(header_json({a, tensor_json("a", "U8", "[1]", 1, 2)}), 2, "\"a\": is there twice");
  expect_refused(header_json({a, tensor_json("\\u0061", "U8", "[1]", 1, 2)}), 2, "twice");
  expect_refused(R"({"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", 1,
                 "repeated key: got shape");
  expect_refused(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1);
  expect_refused(R"({"__metadata__":{},"__metadata__":{}})", 0, "second __metadata__");
  expect_refused(R"({"__metadata__":{"k":"1","k":"1"}})", 0, "key twice");
}

TEST_F(Safetensors, A08FieldsAndDTypes) {
  expect_refused(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1, "expected a dtype");
  expect_refused(R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1, "expected a shape");
  expect_refused(R"({"a":{"dtype":"U8","shape":[1]}})", 1, "expected data_offsets");
  expect_refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}})", 1, "unknown");
  expect_refused(header_json({tensor_json("a", "X8", "[1]", 0, 1)}), 1, "dtype: got X8");
  expect_refused(header_json({tensor_json("a", "bf16", "[1]", 0, 2)}), 2, "dtype: got bf16");
  expect_refused(R"({"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})", 1, "a string");
  expect_refused(R"({"a":[]})", 0);
  const auto known = read(header_json({tensor_json("a", "U32", "[1]", 0, 4)}), 4);
  ASSERT_FALSE(known);
  EXPECT_EQ(known.error().code, Code::kUnsupported);
}

TEST_F(Safetensors, A09Offsets) {
  const auto with = [](const std::string& offsets) {
    return R"({"a":{"dtype":"U8","shape":[1],"data_offsets":)" + offsets + "}}";
  };
  EXPECT_TRUE(read(with("[0,1]"), 1));
  expect_refused(with("[1,0]"), 1, "run backwards");
  for (const char* offsets :
       {"[-1,0]", "[0,1.5]", "[0,1e3]", "[0,1.0]", "[\"0\",1]", "[0,\"8\"]", "[0,01]", "[0]",
        "[0,1,2]", "[]", "0", "null", "{}", "[0,18446744073709551617]", "[0,9223372036854775808]",
        "[0,9007199254740993]", "[18446744073709551615,0]"}) {
    expect_refused(with(offsets), 1);
  }
}

TEST_F(Safetensors, A10Truncated) {
  std::string header = header_json({tensor_json("a", "F32", "[4096]", 0, 16384)});
  const std::string good = safetensors_bytes(header, 16384);
  EXPECT_TRUE(read_bytes(good));
  for (const size_t cut : {size_t{1}, size_t{4096}, good.size() / 2}) {
    const std::string text =
        message(read_bytes(std::string_view(good).substr(0, good.size() - cut)));
    EXPECT_EQ(text, "m.safetensors: tensor \"a\": the file is truncated: got " +
                        std::to_string(good.size() - cut) + " bytes, expected at least " +
                        std::to_string(good.size()) +
                        " bytes (the download is incomplete; download the file again)");
  }
}

TEST_F(Safetensors, A11ShapeOverflow) {
  for (const char* shape :
       {"[4294967296,4294967296]", "[9223372036854775808,2]", "[9223372036854775808,2,0]",
        "[4294967296,4294967296,0]", "[0,4294967296,4294967296]",
        "[9223372036854775807,9223372036854775807]"}) {
    expect_refused(header_json({tensor_json("a", "U8", shape, 0, 0)}), 0, "overflow");
  }
  // The elements fit 64 bits, their bytes do not.
  expect_refused(header_json({tensor_json("a", "F64", "[4611686018427387904]", 0, 0)}), 0,
                 "overflow");
  std::string dims = "[1";
  for (int i = 1; i < 64; ++i) dims += ",1";
  EXPECT_TRUE(read(header_json({tensor_json("a", "U8", dims + "]", 0, 1)}), 1));
  expect_refused(header_json({tensor_json("a", "U8", dims + ",1]", 0, 1)}), 1, "overflow");
  for (const char* shape : {"[-1]", "[1.5]", "[\"1\"]", "[1,]", "[,1]", "[null]", "1", "{}"}) {
    expect_refused(header_json({tensor_json("a", "U8", shape, 0, 1)}), 1);
  }
}

TEST_F(Safetensors, A12Overlap) {
  const std::string a = tensor_json("a", "U8", "[8]", 0, 8);
  expect_refused(header_json({a, tensor_json("b", "U8", "[8]", 7, 15)}), 15, "\"b\": overlap");
  expect_refused(header_json({a, tensor_json("b", "U8", "[8]", 0, 8)}), 8, "overlap");
  expect_refused(header_json({a, tensor_json("b", "U8", "[0]", 4, 4)}), 8, "overlap");
  std::string header = "{";
  for (int i = 0; i < 100'000; ++i) {
    header += tensor_json(fmt::format("t{}", i), "U8", "[8]", 0, 8) + ",";
  }
  header.back() = '}';
  expect_refused(header, 8, "overlap");
}

TEST_F(Safetensors, A13HolesAndSizes) {
  const std::string a = tensor_json("a", "U8", "[8]", 0, 8);
  expect_refused(header_json({a, tensor_json("b", "U8", "[8]", 9, 17)}), 17, "\"b\": a hole");
  expect_refused(header_json({tensor_json("a", "U8", "[8]", 1, 9)}), 9, "a hole");
  expect_refused(header_json({a}), 9, "extra bytes");
  expect_refused("{}", 1, "extra bytes");
  for (const int end : {7, 9}) {
    expect_refused(header_json({tensor_json("a", "F16", "[4]", 0, static_cast<uint64_t>(end))}), 9,
                   "contradict");
  }
  const auto sub_byte = read(header_json({tensor_json("a", "F4", "[3]", 0, 2)}), 2);
  ASSERT_FALSE(sub_byte);
  EXPECT_EQ(sub_byte.error().code, Code::kUnsupported);
}

TEST_F(Safetensors, A14Names) {
  const auto with = [&](std::string_view name) {
    return header_json({tensor_json(name, "U8", "[1]", 0, 1)});
  };
  expect_refused(with(""), 1, "without a name");
  expect_refused(with(std::string(1'000'000, 'x')), 1, "longer than 4096");
  expect_refused(with("a\\u0000b"), 1, "control character");
  expect_refused(with("a\\n\\u001b[31m"), 1, "control character");
  EXPECT_TRUE(read(with(std::string(kMaxTensorNameBytes, 'x')), 1));
  const auto path = read(with("../x"), 1);
  ASSERT_TRUE(path);
  EXPECT_EQ((*path)[0].name, "../x");
  EXPECT_TRUE(read(with("\xe5\x90\x8d"), 1));
  const Status escaped = fail(Code::kInvalidData, "x\n\x1b[31m").error();
  EXPECT_EQ(escaped.message(), "x\\x0a\\x1b[31m");
}

TEST_F(Safetensors, A16OtherKindsOfFileAreNamed) {
  const std::string tail(200, '\n');
  expect_bytes_refused("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
                       "LFS pointer: weights not downloaded");
  expect_bytes_refused("<!DOCTYPE html><html>404</html>" + tail, "an HTML page");
  expect_bytes_refused("\n <html>" + tail, "an HTML page");
  expect_bytes_refused("PK\x03\x04" + tail, "a zip archive");
  expect_bytes_refused("\x80\x02}q" + tail, "a Python pickle");
  const auto gguf = read_bytes("GGUF\x03" + tail);
  ASSERT_FALSE(gguf);
  EXPECT_EQ(gguf.error().code, Code::kUnsupported);
  expect_bytes_refused(with_length(200, tail), "does not begin");
}

TEST_F(Safetensors, A17OddButGood) {
  const std::string header =
      header_json({tensor_json("s", "F32", "[]", 0, 4), tensor_json("z", "F32", "[0,5]", 4, 4),
                   tensor_json("y", "F32", "[3,0]", 0, 0)});
  const auto zero = read(header + "      ", 4);
  ASSERT_TRUE(zero) << message(zero);
  EXPECT_EQ((*zero)[0].name, "y");
  EXPECT_TRUE((*zero)[1].shape.empty());
  EXPECT_EQ((*zero)[2].bytes, 0u);
  EXPECT_TRUE(read("{}", 0));
}

TEST_F(Safetensors, A17AMillionTensors) {
  std::string header = "{";
  for (uint64_t i = 0; i < 1'000'000; ++i) {
    header += tensor_json(fmt::format("t{}", i), "U8", "[1]", i, i + 1) + ",";
  }
  header.back() = '}';
  const auto entries = read(header, 1'000'000);
  ASSERT_TRUE(entries) << message(entries);
  EXPECT_EQ(entries->size(), 1'000'000u);
  EXPECT_EQ(entries->back().name, "t999999");
}

TEST_F(Safetensors, TooManyTensors) {
  std::string header = "{";
  for (size_t i = 0; i <= kMaxTensorsPerFile; ++i) {
    header += tensor_json(fmt::format("t{}", i), "U8", "[0]", 0, 0) + ",";
  }
  header.back() = '}';
  expect_refused(header, 0, "number of tensors");
}

TEST_F(Safetensors, TooManyMetadataKeys) {
  std::string header = R"({"__metadata__":{)";
  for (size_t i = 0; i <= kMaxTensorsPerFile; ++i) header += fmt::format("\"{}\":\"\",", i);
  header.back() = '}';
  expect_refused(header + "}", 0, "too many metadata keys");
}

TEST_F(Safetensors, OrderOfTheHeaderDoesNotMatter) {
  std::string header = "{";
  for (uint64_t i = 0; i < 500; ++i) {
    const uint64_t at = i * 7 % 500;
    header += tensor_json(fmt::format("t{}", at), "U8", "[2]", 2 * at, 2 * at + 2) + ",";
  }
  header.back() = '}';
  const auto entries = read(header, 1000);
  ASSERT_TRUE(entries) << message(entries);
  for (uint64_t i = 0; i < 500; ++i) EXPECT_EQ((*entries)[i].name, fmt::format("t{}", i));
}

TEST_F(Safetensors, CutAtEveryByte) {
  const std::string good = safetensors_bytes(good_header(), 32);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(message(read_bytes(std::string_view(good).substr(0, size))), "accepted") << size;
  }
  EXPECT_TRUE(read_bytes(good));
}

// A shorter header of the right length field: the parser, not the length check, must notice.
TEST_F(Safetensors, HeaderCutAtEveryByte) {
  const std::string good = good_header();
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(message(read(good.substr(0, size), 32)), "accepted") << size;
  }
}

// Every byte of the header replaced by each of a few: never a crash, and what is accepted is
// consistent.
TEST_F(Safetensors, EveryByteChanged) {
  const std::string good = safetensors_bytes(good_header(), 32);
  for (size_t at = 0; at < good.size() - 32; ++at) {
    for (const char byte : {'\0', '"', '{', '}', '[', ',', '9', '-', ' ', '\xff', '\\'}) {
      std::string bad = good;
      bad[at] = byte;
      const auto entries = read_bytes(bad);
      if (!entries) continue;
      uint64_t total = 0;
      for (const TensorEntry& entry : *entries) total += entry.bytes;
      EXPECT_LE(total, 32u) << at;
    }
  }
}

TEST_F(Safetensors, EveryFailedReadIsOneStatus) {
  const std::string path = folder_.put("m", safetensors_bytes(good_header(), 32));
  for (const auto kind : {FaultPlan::Kind::kError, FaultPlan::Kind::kShortRead}) {
    for (const bool for_ever : {false, true}) {
      int64_t n = 0;
      for (;; ++n) {
        FaultEnv env(real_env(), {.kind = kind, .fail_call = n, .for_ever = for_ever});
        const auto file = env.open_readable(path);
        if (!file) continue;
        const auto entries = read_safetensors_header(**file, "m.safetensors", 0);
        if (entries) break;
        EXPECT_NE(message(entries), "accepted");
      }
      EXPECT_GE(n, 3);
    }
  }
}

// Gives another file from the given read on, as a file replaced while it is being loaded would.
class ChangingFile : public ReadableFile {
 public:
  ChangingFile(std::string_view first, std::string_view second, int change_at)
      : first_(first), second_(second), change_at_(change_at) {}
  uint64_t size() const override { return first_.size(); }
  Result<void> read_at(uint64_t offset, std::span<std::byte> out) const override {
    return (reads_++ < change_at_ ? first_ : second_).read_at(offset, out);
  }

 private:
  MemoryFile first_, second_;
  int change_at_;
  mutable int reads_ = 0;
};

TEST_F(Safetensors, HeaderChangedBetweenThePasses) {
  const std::string a = tensor_json("a", "U8", "[8]", 0, 8);
  const std::string good =
      safetensors_bytes(header_json({a, tensor_json("b", "U8", "[8]", 8, 16)}) + "  ", 16);
  const std::string bad =
      safetensors_bytes(header_json({a, tensor_json("b", "U8", "[8]", 0, 8)}) + "   ", 16);
  ASSERT_EQ(good.size(), bad.size());
  const ChangingFile file(good, bad, 2);
  EXPECT_NE(message(read_safetensors_header(file, "m.safetensors", 0)).find("changed while"),
            std::string::npos);
}

}  // namespace
}  // namespace strata::checkpoint
