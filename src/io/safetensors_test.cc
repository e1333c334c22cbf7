#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <numeric>
#include <sstream>

#include "io/expect_error.h"
#include "io/json_file.h"
#include "io/temporary_folder.h"

namespace mxdit {
namespace {

std::string file_bytes(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i));
  return length + header + data;
}

std::string content_of(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

// A block of exactly these bytes, so that sanitizers see any step outside.
std::shared_ptr<Storage> block_of(const std::string& bytes) {
  char* copy = new char[bytes.size()];
  std::memcpy(copy, bytes.data(), bytes.size());
  return std::make_shared<Storage>(copy, bytes.size(), [copy] { delete[] copy; });
}

SafetensorsFile parse(const std::string& bytes) {
  return SafetensorsFile::from_memory(block_of(bytes), "w.safetensors");
}

void refuses(const std::string& header, size_t data_bytes,
             std::initializer_list<std::string> parts) {
  SCOPED_TRACE(header);
  expect_error(ErrorKind::bad_input, {"[io] w.safetensors"},
               [&] { parse(file_bytes(header, std::string(data_bytes, 'd'))); });
  expect_error(ErrorKind::bad_input, parts,
               [&] { parse(file_bytes(header, std::string(data_bytes, 'd'))); });
}

// One tensor "t" of the given entry over 8 bytes of data.
void refuses_entry(const std::string& entry, std::initializer_list<std::string> parts) {
  refuses("{\"t\":" + entry + "}", 8, {"tensor \"t\""});
  refuses("{\"t\":" + entry + "}", 8, parts);
}

Tensor tensor_of(DType dtype, const Shape& shape) {
  Tensor tensor = Tensor::host(dtype, shape);
  auto* bytes = static_cast<unsigned char*>(tensor.mutable_data());
  std::iota(bytes, bytes + tensor.bytes(), static_cast<unsigned char>(1));
  return tensor;
}

constexpr DType kAllTypes[] = {DType::f64,     DType::f32, DType::f16, DType::bf16, DType::f8_e4m3,
                               DType::f8_e5m2, DType::i64, DType::i32, DType::i16,  DType::i8,
                               DType::u64,     DType::u32, DType::u16, DType::u8,   DType::boolean};

TEST(SafetensorsReader, ReadsShapesBytesAndMetadata) {
  const auto file = parse(file_bytes(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[],"data_offsets":[4,5]},)"
      R"("a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},)"
      R"("none":{"dtype":"F32","shape":[0,9],"data_offsets":[4,4]}}   )",
      "abcde"));
  EXPECT_EQ(file.header().metadata.at("format"), "pt");
  EXPECT_EQ(file.header().tensors.size(), 3u);
  EXPECT_EQ(file.get("a").shape(), Shape({2, 1}));
  EXPECT_EQ(file.get("a").dtype(), DType::bf16);
  EXPECT_EQ(std::memcmp(file.get("a").data(), "abcd", 4), 0);
  EXPECT_EQ(file.get("b").shape(), Shape({}));
  EXPECT_EQ(file.get("b").as<uint8_t>()[0], 'e');
  EXPECT_EQ(file.get("none").elements(), 0);
  expect_error(ErrorKind::not_found, {"w.safetensors", "\"c\""}, [&] { file.get("c"); });
}

TEST(SafetensorsReader, ReadsAFileWithoutTensors) {
  EXPECT_TRUE(parse(file_bytes("{}", "")).header().tensors.empty());
}

TEST(SafetensorsReader, CopiesUnalignedTensors) {
  for (int padding = 0; padding < 8; ++padding) {
    const std::string header = R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})" +
                               std::string(static_cast<size_t>(padding), ' ');
    const float values[2] = {1.5f, -2.0f};
    const std::string data(reinterpret_cast<const char*>(values), 8);
    const Tensor tensor = parse(file_bytes(header, data)).get("t");
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % 4, 0u);
    EXPECT_EQ(tensor.as<float>()[0], 1.5f);
    EXPECT_EQ(tensor.as<float>()[1], -2.0f);
  }
}

TEST(SafetensorsReader, TensorsKeepTheMappingAlive) {
  TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  write_safetensors(path, {{"t", tensor_of(DType::u8, {5})}});
  const Tensor tensor = SafetensorsFile::open(path).get("t");
  std::filesystem::remove(path);
  EXPECT_EQ(tensor.as<uint8_t>()[4], 5);
}

TEST(SafetensorsReader, RefusesHeadersThatLieAboutTheirLength) {
  for (size_t size = 0; size < 8; ++size)
    expect_error(ErrorKind::bad_input, {"w.safetensors", "shorter than its header length"},
                 [&] { parse(std::string(size, '\0')); });
  expect_error(ErrorKind::bad_input, {"w.safetensors", "an empty one"},
               [&] { parse(std::string(8, '\0')); });
  std::string longer = file_bytes("{}", "");
  longer[0] = 3;
  expect_error(ErrorKind::bad_input, {"w.safetensors", "a header of 3 bytes, got 2"},
               [&] { parse(longer); });
  for (const size_t byte : {3, 4, 7}) {
    std::string far_longer = file_bytes("{}", "");
    far_longer[byte] = static_cast<char>(0xff);
    expect_error(ErrorKind::bad_input, {"w.safetensors", "at most 100000000 bytes"},
                 [&] { parse(far_longer); });
  }
}

TEST(SafetensorsReader, RefusesWhatIsNoJsonObject) {
  refuses("[]", 0, {"starts with {"});
  refuses(" {}", 0, {"starts with {"});
  refuses("{\"t\":", 0, {"(header)", "line 1"});
  refuses("{} x", 0, {"(header)", "line 1"});
  refuses("{\"a\xff\":{}}", 0, {"(header)", "UTF-8"});
  refuses("{\"t\":" + std::string(100000, '['), 0, {"levels of nesting"});
}

TEST(SafetensorsReader, RefusesDuplicateNames) {
  const std::string t = R"("t":{"dtype":"U8","shape":[8],"data_offsets":[0,8]})";
  refuses("{" + t + "," + t + "}", 8, {"\"t\" twice"});
  refuses(R"({"t":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}})", 8,
          {"\"t\": expected every key once, got \"dtype\" twice"});
}

TEST(SafetensorsReader, RefusesEntriesOfWrongTypes) {
  refuses_entry("3", {"expected an object, got 3"});
  refuses_entry("[]", {"expected an object, got an array of 0"});
  refuses_entry(R"({"shape":[8],"data_offsets":[0,8]})", {"expected a dtype, got none"});
  refuses_entry(R"({"dtype":"U8","data_offsets":[0,8]})", {"expected a shape, got none"});
  refuses_entry(R"({"dtype":"U8","shape":[8]})", {"expected a data_offsets, got none"});
  refuses_entry(R"({"dtype":"U8","shape":[8],"data_offsets":[0,8],"more":1})", {"\"more\""});
  refuses_entry(R"({"dtype":3,"shape":[8],"data_offsets":[0,8]})", {"dtype name, got 3"});
  refuses_entry(R"({"dtype":"F6","shape":[8],"data_offsets":[0,8]})", {"dtype", "got \"F6\""});
  refuses_entry(R"({"dtype":"u8","shape":[8],"data_offsets":[0,8]})", {"got \"u8\""});
  refuses_entry(R"({"dtype":"U8","shape":8,"data_offsets":[0,8]})", {"shape array, got 8"});
  refuses_entry(R"({"dtype":"U8","shape":[8.0],"data_offsets":[0,8]})", {"shape", "got 8.0"});
  refuses_entry(R"({"dtype":"U8","shape":["8"],"data_offsets":[0,8]})", {"shape", "got \"8\""});
  refuses_entry(R"({"dtype":"U8","shape":[-8],"data_offsets":[0,8]})", {"shape", "got -8"});
  refuses_entry(R"({"dtype":"U8","shape":[8],"data_offsets":[8]})", {"two data_offsets"});
  refuses_entry(R"({"dtype":"U8","shape":[8],"data_offsets":[0,8,8]})", {"two data_offsets"});
  refuses_entry(R"({"dtype":"U8","shape":[8],"data_offsets":[-1,7]})", {"data_offsets", "-1"});
  refuses_entry(R"({"dtype":"U8","shape":[8],"data_offsets":[0,8.0]})", {"data_offsets", "8.0"});
  refuses_entry(R"({"dtype":"U8","shape":[8],"data_offsets":[0,null]})", {"got null"});
}

TEST(SafetensorsReader, RefusesMetadataThatIsNotText) {
  refuses(R"({"__metadata__":[]})", 0, {"__metadata__", "expected an object"});
  refuses(R"({"__metadata__":{"format":1}})", 0, {"__metadata__ \"format\"", "string, got 1"});
  refuses(R"({"__metadata__":{"format":{"a":"b"}}})", 0, {"string, got an object"});
}

TEST(SafetensorsReader, RefusesSizesThatOverflow) {
  refuses_entry(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})",
                {"below 2^63"});
  refuses_entry(R"({"dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,8]})",
                {"below 2^63"});
  refuses_entry(R"({"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,8]})",
                {"got 9223372036854775808"});
  refuses_entry(R"({"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,8]})",
                {"shape", "non-negative"});
  refuses_entry(R"({"dtype":"U8","shape":[8],"data_offsets":[18446744073709551608,8]})",
                {"data_offsets", "18446744073709551608"});
  // An extent of zero behind huge ones does not hide the overflow.
  refuses_entry(R"({"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]})",
                {"below 2^63"});
}

TEST(SafetensorsReader, RefusesOffsetsThatDoNotFit) {
  refuses_entry(R"({"dtype":"U8","shape":[8],"data_offsets":[8,0]})", {"got 8 to 0"});
  refuses_entry(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})", {"span 12 bytes", "0 to 8"});
  refuses_entry(R"({"dtype":"U8","shape":[9],"data_offsets":[0,9]})", {"within 8 bytes", "at 9"});
  refuses_entry(R"({"dtype":"U8","shape":[8],"data_offsets":[1,9]})", {"within 8 bytes"});
  refuses_entry(
      R"({"dtype":"U8","shape":[8],"data_offsets":[9223372036854775800,9223372036854775807]})",
      {"span 8 bytes"});
}

TEST(SafetensorsReader, RefusesOverlapsHolesAndRemainders) {
  const std::string a = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":)";
  refuses(a + R"({"dtype":"U8","shape":[4],"data_offsets":[3,7]}})", 7,
          {"tensor \"b\"", "from byte 4 on, got 3", "overlaps"});
  refuses(a + R"({"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4,
          {"tensor \"b\"", "overlaps"});
  refuses(a + R"({"dtype":"U8","shape":[4],"data_offsets":[5,9]}})", 9,
          {"tensor \"b\"", "from byte 4 on, got 5", "hole"});
  refuses(R"({"t":{"dtype":"U8","shape":[7],"data_offsets":[1,8]}})", 8, {"hole"});
  refuses(R"({"t":{"dtype":"U8","shape":[7],"data_offsets":[0,7]}})", 8,
          {"7 bytes of data, got 8"});
  refuses("{}", 1, {"0 bytes of data, got 1"});
}

TEST(SafetensorsReader, RefusesEveryTruncation) {
  TemporaryFolder folder;
  const auto path = folder / "whole.safetensors";
  write_safetensors(path, {{"a", tensor_of(DType::f32, {2, 2})}, {"b", tensor_of(DType::u8, {3})}},
                    {{"k", "v"}});
  const std::string whole = content_of(path);
  EXPECT_NO_THROW(parse(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    expect_error(ErrorKind::bad_input, {"w.safetensors"}, [&] { parse(whole.substr(0, size)); });
  }
}

TEST(SafetensorsReader, OpensGiganticSparseFilesAtOnce) {
  TemporaryFolder folder;
  const uint64_t bytes = uint64_t{1} << 40;
  const std::string header =
      R"({"t":{"dtype":"BF16","shape":[1048576,524288],"data_offsets":[0,1099511627776]}})";
  const auto path = folder.write("huge.safetensors", file_bytes(header, ""));
  std::error_code error;
  std::filesystem::resize_file(path, 8 + header.size() + bytes, error);
  if (error) GTEST_SKIP() << "no sparse files of 1 TiB here: " << error.message();
  const auto file = SafetensorsFile::open(path);
  EXPECT_EQ(file.header().tensors.at("t").shape.elements(), int64_t{1} << 39);
}

TEST(SafetensorsWriter, RoundTripsEveryType) {
  TemporaryFolder folder;
  const auto path = folder / "all.safetensors";
  std::map<std::string, Tensor> tensors;
  for (const DType dtype : kAllTypes)
    tensors.emplace("t." + std::string(name(dtype)), tensor_of(dtype, {3, 1, 5}));
  tensors.emplace("empty", tensor_of(DType::f32, {0, 4}));
  tensors.emplace("scalar", tensor_of(DType::i64, {}));
  write_safetensors(path, tensors, {{"format", "pt"}, {"quote", "\"\\\n\u00e9"}});
  const auto file = SafetensorsFile::open(path);
  EXPECT_EQ(file.header().data_start % 8, 0u);
  EXPECT_EQ(file.header().metadata.at("quote"), "\"\\\n\u00e9");
  ASSERT_EQ(file.header().tensors.size(), tensors.size());
  for (const auto& [key, tensor] : tensors) {
    const Tensor got = file.get(key);
    EXPECT_EQ(got.dtype(), tensor.dtype());
    EXPECT_EQ(got.shape(), tensor.shape());
    EXPECT_EQ(std::memcmp(got.data(), tensor.data(), tensor.bytes()), 0) << key;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(got.data()) % element_size(got.dtype()), 0u) << key;
  }
}

TEST(SafetensorsWriter, LayoutDoesNotDependOnTheOrderOfWriting) {
  TemporaryFolder folder;
  const Tensor wide = tensor_of(DType::f32, {4});
  const Tensor narrow = tensor_of(DType::u8, {3});
  write_safetensors(folder / "a", {{"z", wide}, {"a", narrow}});
  SafetensorsWriter writer(folder / "b", {{"a", DType::u8, {3}}, {"z", DType::f32, {4}}});
  const char* bytes = static_cast<const char*>(wide.data());
  writer.write("z", bytes, 5);
  writer.write("a", narrow);
  writer.write("z", bytes + 5, 11);
  writer.finish();
  EXPECT_EQ(content_of(folder / "a"), content_of(folder / "b"));
  EXPECT_EQ(SafetensorsFile::open(folder / "a").header().tensors.at("z").begin, 0u);
}

// The goldens come from Python's safetensors; their metadata has one key, so its order is known.
TEST(SafetensorsWriter, WritesTheSameBytesAsTheReference) {
  TemporaryFolder folder;
  int files = 0;
  for (const auto& item : std::filesystem::recursive_directory_iterator(
           std::filesystem::path(MXDIT_SOURCE_DIR) / "tests/goldens")) {
    if (item.path().extension() != ".safetensors") continue;
    SCOPED_TRACE(item.path().string());
    const auto file = SafetensorsFile::open(item.path());
    std::map<std::string, Tensor> tensors;
    for (const auto& [key, entry] : file.header().tensors) tensors.emplace(key, file.get(key));
    EXPECT_FALSE(tensors.empty());
    if (file.header().metadata.size() > 1) continue;
    write_safetensors(folder / "again", tensors, file.header().metadata);
    EXPECT_TRUE(content_of(item.path()) == content_of(folder / "again"));
    ++files;
  }
  EXPECT_GT(files, 0);
}

TEST(SafetensorsWriter, LeavesNothingBehindWhenInterrupted) {
  TemporaryFolder folder;
  const auto path = folder.write("w.safetensors", "the old file");
  EXPECT_THROW(
      {
        SafetensorsWriter writer(path, {{"a", DType::u8, {3}}});
        writer.write("a", "xy", 2);
        throw std::runtime_error("in between");
      },
      std::runtime_error);
  EXPECT_EQ(content_of(path), "the old file");
  const std::filesystem::directory_iterator all(folder.path());
  EXPECT_EQ(std::distance(begin(all), end(all)), 1);
}

TEST(SafetensorsWriter, RefusesMisuse) {
  TemporaryFolder folder;
  const auto path = folder / "w.safetensors";
  using Declarations = std::vector<SafetensorsWriter::Declaration>;
  const auto declare = [&](const Declarations& tensors) {
    SafetensorsWriter writer(path, tensors);
  };
  expect_error(ErrorKind::bad_input, {"w.safetensors", "tensor \"a\"", "taken"}, [&] {
    declare({{"a", DType::u8, {1}}, {"a", DType::u8, {1}}});
  });
  expect_error(ErrorKind::bad_input, {"__metadata__"}, [&] {
    declare({{"__metadata__", DType::u8, {1}}});
  });
  expect_error(ErrorKind::bad_input, {"expected"}, [&] { declare({{"a", DType::u8, {-1}}}); });
  expect_error(ErrorKind::bad_input, {"UTF-8"}, [&] { declare({{"\xff", DType::u8, {1}}}); });
  SafetensorsWriter writer(path, {{"a", DType::u8, {3}}});
  expect_error(ErrorKind::internal, {"w.safetensors", "tensor \"b\"", "declared"},
               [&] { writer.write("b", "x", 1); });
  expect_error(ErrorKind::internal, {"tensor \"a\"", "at most 3"},
               [&] { writer.write("a", "abcd", 4); });
  expect_error(ErrorKind::internal, {"tensor \"a\"", "U8 [3]", "U8 [1, 3]"}, [&] {
    writer.write("a", tensor_of(DType::u8, {1, 3}));
  });
  expect_error(ErrorKind::internal, {"tensor \"a\"", "0 of 3"}, [&] { writer.finish(); });
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace mxdit
