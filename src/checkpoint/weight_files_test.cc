#include "checkpoint/weight_files.h"

#include <gtest/gtest.h>

#include <cstring>

#include "io/expect_error.h"
#include "io/temporary_folder.h"

namespace mxdit {
namespace {

using Names = std::vector<std::string>;

Tensor byte(uint8_t value) {
  Tensor tensor = Tensor::host(DType::u8, {1});
  std::memset(tensor.mutable_data(), value, 1);
  return tensor;
}

TEST(ChosenWeightFiles, KeepsWhatBelongsTogether) {
  EXPECT_EQ(chosen_weight_files({"b.safetensors", "a.safetensors"}),
            (Names{"a.safetensors", "b.safetensors"}));
  EXPECT_EQ(chosen_weight_files({"m-mixed.safetensors", "m.safetensors", "n.safetensors"}),
            (Names{"m-mixed.safetensors"}));
  EXPECT_EQ(chosen_weight_files({"m-mixed-1.safetensors", "m-mixed-2.safetensors"}),
            (Names{"m-mixed-1.safetensors", "m-mixed-2.safetensors"}));
  EXPECT_EQ(chosen_weight_files({"m.safetensors", "m.fp16.safetensors", "m.bf16.safetensors",
                                 "m.fp32.safetensors"}),
            (Names{"m.safetensors"}));
  EXPECT_EQ(chosen_weight_files({"m.fp16.safetensors"}), (Names{"m.fp16.safetensors"}));
  EXPECT_EQ(chosen_weight_files({"m.fp16.safetensors", "n.safetensors"}),
            (Names{"m.fp16.safetensors", "n.safetensors"}));
  EXPECT_EQ(chosen_weight_files({}), Names{});
}

TEST(ReplacementWeights, AreAFileOrAFolder) {
  TemporaryFolder folder;
  write_safetensors(folder / "one.safetensors", {{"a", byte(1)}});
  EXPECT_TRUE(open_replacement_weights(folder / "one.safetensors").contains("a"));
  write_safetensors(folder / "two.safetensors", {{"b", byte(2)}});
  write_safetensors(folder / "two.fp16.safetensors", {{"b", byte(3)}});
  folder.write("._two.safetensors", "left by another system");
  const WeightStore store = open_replacement_weights(folder.path());
  EXPECT_EQ(store.names(), (Names{"a", "b"}));
  EXPECT_EQ(store.get("b").as<uint8_t>()[0], 2);
  EXPECT_EQ(store.path(), folder.path());
}

TEST(ReplacementWeights, FollowAnIndex) {
  TemporaryFolder folder;
  write_safetensors(folder / "m-1.safetensors", {{"a", byte(1)}});
  write_safetensors(folder / "other.safetensors", {{"a", byte(2)}});
  folder.write("m.safetensors.index.json", R"({"weight_map": {"a": "m-1.safetensors"}})");
  EXPECT_EQ(open_replacement_weights(folder.path()).get("a").as<uint8_t>()[0], 1);
}

TEST(ReplacementWeights, RefuseATensorInTwoFiles) {
  TemporaryFolder folder;
  write_safetensors(folder / "one.safetensors", {{"a", byte(1)}});
  write_safetensors(folder / "two.safetensors", {{"a", byte(1)}});
  expect_error(ErrorKind::bad_input, {"two.safetensors: tensor \"a\": expected in one shard"},
               [&] { open_replacement_weights(folder.path()); });
}

TEST(ReplacementWeights, NameWhatIsMissing) {
  TemporaryFolder folder;
  const std::string path = folder.path().string();
  expect_error(ErrorKind::not_found, {"[checkpoint] no safetensors files found in " + path},
               [&] { open_replacement_weights(folder.path()); });
  expect_error(ErrorKind::not_found, {path + "/absent: expected a .safetensors file or a folder"},
               [&] { open_replacement_weights(folder / "absent"); });
  folder.write("model.gguf", "GGUF");
  expect_error(ErrorKind::unsupported, {path + "/model.gguf: expected a .safetensors file"},
               [&] { open_replacement_weights(folder / "model.gguf"); });
}

}  // namespace
}  // namespace mxdit
