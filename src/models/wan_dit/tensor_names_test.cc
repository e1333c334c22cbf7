#include "models/wan_dit/tensor_names.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "checkpoint/weight_store.h"
#include "io/json_file.h"

namespace mxdit::wan_dit {
namespace {

namespace fs = std::filesystem;

std::map<std::string, Shape> listed(const Config& config) {
  std::map<std::string, Shape> shapes;
  for (const ModelTensor& tensor : tensors_of(config))
    EXPECT_TRUE(shapes.emplace(tensor.name, tensor.shape).second) << tensor.name;
  return shapes;
}

// What the checkpoint holds and what the list says: nothing missing, nothing extra.
void expect_exactly(const fs::path& folder) {
  const fs::path file = folder / "config.json";
  const auto expected = listed(parse_config(read_json_file(file), file.string()));
  std::map<std::string, Shape> held;
  const WeightStore store = WeightStore::open(folder);
  for (const std::string& name : store.names())
    if (!is_ignorable_tensor(name)) held.emplace(name, store.get(name).shape());
  EXPECT_FALSE(held.empty());
  EXPECT_EQ(held, expected);
}

TEST(TensorNames, AreThoseOfTheEmbeddedModel) {
  for (const char* expert : {"transformer", "transformer_2"})
    expect_exactly(fs::path(MXDIT_SOURCE_DIR) / "models/tiny" / expert);
}

// Made by diffusers: with and without image fields, cross_attn_norm, other patches.
TEST(TensorNames, AreThoseOfDiffusers) {
  for (const char* model : {"t2v", "i2v", "tokens", "nonorm", "patch2"}) {
    SCOPED_TRACE(model);
    expect_exactly(fs::path(MXDIT_SOURCE_DIR) / "tests/goldens/dit" / model);
  }
}

TEST(TensorNames, FollowTheImageFields) {
  Config config;
  config.num_layers = 1;
  config.image_dim = 1280;
  const auto joined = listed(config);
  EXPECT_EQ(joined.at("condition_embedder.image_embedder.ff.net.2.weight"), (Shape{5120, 1280}));
  EXPECT_EQ(joined.count("blocks.0.attn2.add_k_proj.weight"), 0u);
  EXPECT_EQ(joined.count("condition_embedder.image_embedder.pos_embed"), 0u);
  config.added_kv_proj_dim = 5120;
  config.pos_embed_seq_len = 514;
  const auto projected = listed(config);
  EXPECT_EQ(projected.at("blocks.0.attn2.add_v_proj.bias"), Shape{5120});
  EXPECT_EQ(projected.at("blocks.0.attn2.norm_added_k.weight"), Shape{5120});
  EXPECT_EQ(projected.at("condition_embedder.image_embedder.pos_embed"), (Shape{1, 514, 1280}));
}

TEST(TensorNames, LeaveOutANormThatIsOff) {
  Config config;
  config.num_layers = 1;
  EXPECT_EQ(listed(config).count("blocks.0.norm2.weight"), 1u);
  config.cross_attn_norm = false;
  EXPECT_EQ(listed(config).count("blocks.0.norm2.weight"), 0u);
}

}  // namespace
}  // namespace mxdit::wan_dit
