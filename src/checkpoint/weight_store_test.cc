#include "checkpoint/weight_store.h"

#include <gtest/gtest.h>

#include <cstring>

#include "io/expect_error.h"
#include "io/temporary_folder.h"

namespace mxdit {
namespace {

constexpr const char* kIndex = "diffusion_pytorch_model.safetensors.index.json";

Tensor filled(const Shape& shape, uint8_t value) {
  Tensor tensor = Tensor::host(DType::u8, shape);
  std::memset(tensor.mutable_data(), value, tensor.bytes());
  return tensor;
}

// Two shards: a, b in the first; c in the second.
class Sharded : public ::testing::Test {
 protected:
  Sharded() {
    write_safetensors(folder_ / "m-1.safetensors", {{"a", filled({2}, 1)}, {"b", filled({3}, 2)}},
                      {{"format", "pt"}, {"first", "1"}});
    write_safetensors(folder_ / "m-2.safetensors", {{"c", filled({4, 1}, 3)}},
                      {{"format", "pt"}, {"second", "2"}});
    write_index(R"("a": "m-1.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors")");
  }
  void write_index(const std::string& map) {
    folder_.write(kIndex, R"({"metadata": {"total_size": 9.0}, "weight_map": {)" + map + "}}");
  }
  void refuses(ErrorKind kind, std::initializer_list<std::string> parts) {
    expect_error(kind, parts, [&] { WeightStore::open(folder_.path()); });
  }
  TemporaryFolder folder_;
};

TEST_F(Sharded, FindsEveryTensor) {
  const WeightStore store = WeightStore::open(folder_.path());
  EXPECT_EQ(store.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(store.contains("b"));
  EXPECT_FALSE(store.contains("d"));
  EXPECT_EQ(store.get("c", {4, 1}).as<uint8_t>()[3], 3);
  EXPECT_EQ(store.file_of("b"), folder_ / "m-1.safetensors");
  EXPECT_EQ(store.file_of("c"), folder_ / "m-2.safetensors");
  EXPECT_EQ(store.path(), folder_.path());
  EXPECT_EQ(store.total_bytes(), 9u);
  EXPECT_EQ(store.metadata(), (std::map<std::string, std::string>{
                                  {"first", "1"}, {"format", "pt"}, {"second", "2"}}));
}

TEST_F(Sharded, TensorsOutliveTheStore) {
  Tensor tensor;
  {
    const WeightStore copy = WeightStore(WeightStore::open(folder_.path()));
    tensor = copy.get("b");
  }
  EXPECT_EQ(tensor.as<uint8_t>()[2], 2);
}

TEST_F(Sharded, NamesFileAndTensorOfAWrongLookup) {
  const WeightStore store = WeightStore::open(folder_.path());
  const std::string path = folder_.path().string();
  expect_error(ErrorKind::not_found, {"[checkpoint] " + path, "\"d\""}, [&] { store.get("d"); });
  expect_error(ErrorKind::not_found, {path, "\"d\""}, [&] { store.get("d", {1}); });
  expect_error(ErrorKind::not_found, {path, "\"d\""}, [&] { store.file_of("d"); });
  expect_error(ErrorKind::bad_input,
               {"m-2.safetensors", "tensor \"c\": expected shape [4], got [4, 1]"},
               [&] { store.get("c", {4}); });
}

TEST_F(Sharded, RefusesAMissingShard) {
  std::filesystem::remove(folder_ / "m-2.safetensors");
  refuses(ErrorKind::not_found, {kIndex, "m-2.safetensors"});
}

TEST_F(Sharded, RefusesATensorThatIsNotInItsShard) {
  write_index(R"("a": "m-1.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors",
                 "d": "m-2.safetensors")");
  refuses(ErrorKind::bad_input, {kIndex, "\"d\"", "m-2.safetensors", "got none"});
  write_index(R"("a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-2.safetensors")");
  refuses(ErrorKind::bad_input, {kIndex, "\"b\"", "in m-2.safetensors, got it in m-1.safetensors"});
}

TEST_F(Sharded, RefusesATensorThatTheIndexDoesNotList) {
  write_index(R"("a": "m-1.safetensors", "c": "m-2.safetensors")");
  refuses(ErrorKind::bad_input, {"m-1.safetensors", "tensor \"b\"", kIndex});
}

TEST_F(Sharded, RefusesATensorInTwoShards) {
  write_safetensors(folder_ / "m-2.safetensors", {{"a", filled({2}, 1)}, {"c", filled({4}, 3)}});
  refuses(ErrorKind::bad_input, {"m-2.safetensors", "tensor \"a\"", "m-1.safetensors"});
}

TEST_F(Sharded, RefusesMetadataThatDisagrees) {
  write_safetensors(folder_ / "m-2.safetensors", {{"c", filled({4}, 3)}}, {{"format", "mlx"}});
  refuses(ErrorKind::bad_input, {"m-2.safetensors", "\"format\"", "\"pt\"", "\"mlx\""});
}

TEST_F(Sharded, RefusesShardNamesThatLeaveTheFolder) {
  for (const char* name : {"../m-1.safetensors", "/etc/passwd", "sub/m.safetensors", "..", ".", "",
                           "a\\\\b", "m-1.safetensors\\u0000"}) {
    SCOPED_TRACE(name);
    write_index(std::string(R"("a": ")") + name + "\"");
    refuses(ErrorKind::bad_input, {kIndex, "tensor \"a\"", "same folder"});
  }
  write_index(R"("a": 3)");
  refuses(ErrorKind::bad_input, {kIndex, "tensor \"a\"", "got 3"});
}

TEST_F(Sharded, RefusesAnIndexWithoutMap) {
  for (const char* text : {"{}", "[]", "3", R"({"weight_map": []})"}) {
    folder_.write(kIndex, text);
    refuses(ErrorKind::bad_input, {kIndex, "weight_map"});
  }
  folder_.write(kIndex, R"({"weight_map": {"a": "x", "a": "y"}})");
  refuses(ErrorKind::bad_input, {kIndex, "\"a\" twice"});
}

TEST_F(Sharded, NamesAShardWithABadHeader) {
  folder_.write("m-2.safetensors", "12345678");
  refuses(ErrorKind::bad_input, {"m-2.safetensors"});
}

TEST(WeightStoreTest, OpensOneFileByPathOrName) {
  TemporaryFolder folder;
  write_safetensors(folder / "odd.safetensors", {{"a", filled({2}, 1)}});
  EXPECT_TRUE(WeightStore::open(folder / "odd.safetensors").contains("a"));
  EXPECT_TRUE(WeightStore::open(folder.path()).contains("a"));  // the only one
  folder.write("._odd.safetensors", "left by another system");
  EXPECT_TRUE(WeightStore::open(folder.path()).contains("a"));
  write_safetensors(folder / "other.safetensors", {{"b", filled({2}, 1)}});
  expect_error(ErrorKind::bad_input, {folder.path().string(), "odd.safetensors, other.safetensors"},
               [&] { WeightStore::open(folder.path()); });
  write_safetensors(folder / "model.safetensors", {{"m", filled({2}, 1)}});
  EXPECT_TRUE(WeightStore::open(folder.path()).contains("m"));
  write_safetensors(folder / "diffusion_pytorch_model.safetensors", {{"d", filled({2}, 1)}});
  EXPECT_TRUE(WeightStore::open(folder.path()).contains("d"));
}

TEST(WeightStoreTest, OpensAllShardsOfAStem) {
  TemporaryFolder folder;
  write_safetensors(folder / "part_2.safetensors", {{"b", filled({3}, 2)}});
  write_safetensors(folder / "part_1.safetensors", {{"a", filled({2}, 1)}});
  folder.write("other.safetensors", "of something else");
  const WeightStore store = WeightStore::open_shards(folder.path(), "part");
  EXPECT_EQ(store.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(store.files().size(), 2u);
  const TensorPlace place = store.place_of("b");
  EXPECT_EQ(place.file, folder / "part_2.safetensors");
  EXPECT_EQ(place.offset + place.bytes, std::filesystem::file_size(place.file));
  EXPECT_EQ(place.shape, Shape{3});
  expect_error(ErrorKind::not_found, {folder.path().string() + ": expected files none*.safetensors"},
               [&] { WeightStore::open_shards(folder.path(), "none"); });
  folder.write("part.safetensors.index.json", R"({"weight_map": {"a": "part_1.safetensors"}})");
  expect_error(ErrorKind::bad_input, {"tensor \"b\"", "part.safetensors.index.json"},
               [&] { WeightStore::open_shards(folder.path(), "part"); });
  write_safetensors(folder / "part_3.safetensors", {{"a", filled({2}, 1)}});
  expect_error(ErrorKind::bad_input, {"part_3.safetensors", "\"a\"", "part_1.safetensors"},
               [&] { WeightStore::open_shards(folder.path(), "part"); });
}

TEST(WeightStoreTest, NamesAFolderWithoutWeights) {
  TemporaryFolder folder;
  expect_error(ErrorKind::not_found, {folder.path().string(), "*.safetensors"},
               [&] { WeightStore::open(folder.path()); });
  expect_error(ErrorKind::not_found, {"absent"}, [&] { WeightStore::open(folder / "absent"); });
}

TEST(WeightStoreTest, OpensTheGoldens) {
  const auto goldens = std::filesystem::path(MXDIT_SOURCE_DIR) / "tests/goldens";
  const WeightStore store = WeightStore::open(goldens / "vae/small");
  EXPECT_TRUE(store.contains("decoder.conv_in.weight"));
  EXPECT_EQ(store.get("decoder.conv_in.weight").dtype(), DType::f32);
}

}  // namespace
}  // namespace mxdit
