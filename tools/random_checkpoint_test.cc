#include "random_checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>

#include "checkpoint/model_folder.h"
#include "checkpoint/weight_store.h"
#include "formats/element.h"
#include "io/expect_error.h"
#include "io/temporary_folder.h"

namespace mxdit::tools {
namespace {

RandomCheckpoint tiny(const std::filesystem::path& output) {
  return {*random_models::find_wan_shape("tiny"), output,
          std::filesystem::path(MXDIT_SOURCE_DIR) / "models/tiny/tokenizer"};
}

void ignore(const std::string&) {}

TEST(RandomCheckpointTest, WritesAFolderThatOpens) {
  TemporaryFolder folder;
  write_random_checkpoint(tiny(folder / "m"), ignore);
  const ModelFolder model = ModelFolder::open(folder / "m");
  EXPECT_FALSE(model.has("transformer_2"));
  for (const char* name : {"scheduler", "text_encoder", "tokenizer", "transformer", "vae"})
    EXPECT_NO_THROW(model.component(name)) << name;
  const WeightStore weights = WeightStore::open(model.component("transformer").folder);
  EXPECT_TRUE(weights.contains("blocks.1.attn2.to_out.0.bias"));
  EXPECT_FALSE(weights.contains("blocks.2.attn2.to_out.0.bias"));
}

TEST(RandomCheckpointTest, WeightsHaveTheStatedDeviation) {
  TemporaryFolder folder;
  write_random_checkpoint(tiny(folder / "m"), ignore);
  const Tensor weight =
      WeightStore::open(folder / "m/transformer").get("blocks.0.ffn.net.2.weight", {256, 768});
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < weight.elements(); ++i) {
    const double value = to_float(weight.as<bf16>()[i]);
    sum += value;
    squares += value * value;
  }
  const double count = static_cast<double>(weight.elements());
  EXPECT_NEAR(sum / count, 0, 1e-3);
  EXPECT_NEAR(std::sqrt(squares / count), 1 / std::sqrt(768.0), 1e-3);
}

TEST(RandomCheckpointTest, DependsOnTheSeedOnly) {
  TemporaryFolder folder;
  RandomCheckpoint other = tiny(folder / "c");
  other.seed = 1;
  write_random_checkpoint(tiny(folder / "a"), ignore);
  write_random_checkpoint(tiny(folder / "b"), ignore);
  write_random_checkpoint(other, ignore);
  const auto fingerprint = [&](const char* name) {
    return ModelFolder::open(folder / name).fingerprint();
  };
  EXPECT_EQ(fingerprint("a"), fingerprint("b"));
  EXPECT_NE(fingerprint("a"), fingerprint("c"));
}

TEST(RandomCheckpointTest, RefusesWhatItCannotWrite) {
  TemporaryFolder folder;
  folder.write("used/file", "x");
  expect_error(ErrorKind::usage, {"used", "new or empty"},
               [&] { write_random_checkpoint(tiny(folder / "used"), ignore); });
  RandomCheckpoint small = tiny(folder / "small");
  small.vocabulary = 3;
  expect_error(ErrorKind::bad_input, {"vocabulary", "got 3"},
               [&] { write_random_checkpoint(small, ignore); });
  RandomCheckpoint mute = tiny(folder / "mute");
  mute.tokenizer = folder / "used";
  expect_error(ErrorKind::not_found, {"spiece.model"},
               [&] { write_random_checkpoint(mute, ignore); });
}

}  // namespace
}  // namespace mxdit::tools
