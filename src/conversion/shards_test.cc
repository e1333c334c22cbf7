#include "conversion/shards.h"

#include <gtest/gtest.h>

#include "checkpoint/weight_store.h"
#include "io/temporary_folder.h"

namespace mxdit::conversion {
namespace {

using Declarations = std::vector<SafetensorsWriter::Declaration>;

std::vector<std::vector<std::string>> names_of(const std::vector<Shard>& shards) {
  std::vector<std::vector<std::string>> names;
  for (const Shard& shard : shards) {
    names.emplace_back();
    for (const auto& tensor : shard.tensors) names.back().push_back(tensor.name);
  }
  return names;
}

const Declarations kTensors = {
    {"a", DType::u8, {6}}, {"b", DType::u8, {4}}, {"c", DType::f32, {5}}, {"d", DType::u8, {1}}};

TEST(Shards, FillUpToTheLimit) {
  const auto shards = plan_shards(kTensors, 10, "m");
  EXPECT_EQ(names_of(shards), (std::vector<std::vector<std::string>>{{"a", "b"}, {"c"}, {"d"}}));
  EXPECT_EQ(shards[2].file, "m-00003-of-00003.safetensors");
  EXPECT_EQ(names_of(plan_shards(kTensors, 9, "m")).front(), std::vector<std::string>{"a"});
}

TEST(Shards, OneFileHasAPlainName) {
  const auto shards = plan_shards(kTensors, 31, "m");
  ASSERT_EQ(shards.size(), 1u);
  EXPECT_EQ(shards[0].file, "m.safetensors");
  EXPECT_EQ(plan_shards({}, 31, "m").size(), 1u);
  TemporaryFolder folder;
  write_shard_index(folder.path(), "m", shards);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Shards, TheIndexOpensAsACheckpoint) {
  TemporaryFolder folder;
  const auto shards = plan_shards(kTensors, 10, "m");
  for (const Shard& shard : shards) {
    std::map<std::string, Tensor> tensors;
    for (const auto& [name, dtype, shape] : shard.tensors)
      tensors.emplace(name, Tensor::host(dtype, shape));
    write_safetensors(folder / shard.file, tensors, {{"format", "pt"}});
    EXPECT_TRUE(holds_exactly(folder / shard.file, shard, {{"format", "pt"}}));
    EXPECT_FALSE(holds_exactly(folder / shard.file, shard, {}));
    EXPECT_FALSE(
        holds_exactly(folder / shard.file, plan_shards(kTensors, 99, "m")[0], {{"format", "pt"}}));
  }
  write_shard_index(folder.path(), "m", shards);
  const WeightStore store = WeightStore::open(folder.path());
  EXPECT_EQ(store.names().size(), 4u);
  EXPECT_EQ(store.total_bytes(), 31u);
  folder.write("bad.safetensors", "12345678");
  EXPECT_FALSE(holds_exactly(folder / "bad.safetensors", shards[0], {}));
  EXPECT_FALSE(holds_exactly(folder / "absent.safetensors", shards[0], {}));
}

}  // namespace
}  // namespace mxdit::conversion
