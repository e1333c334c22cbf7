#include "mxdit/repack.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "formats/e2m1_packing.h"
#include "conversion/repack/exported_model.h"
#include "io/expect_error.h"

namespace mxdit::conversion {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

class RepackTest : public ::testing::Test {
 protected:
  RepackTest() {
    write_original_model(folder_, "original", false);
    model_.write(folder_ / "exported");
  }

  RepackOptions forward() const {
    RepackOptions options;
    options.model_type = "Wan2.2-TI2V-5B";
    options.original_model_path = (folder_ / "original").string();
    options.quant_path = (folder_ / "exported").string();
    options.output_path = (folder_ / "out").string();
    return options;
  }
  RepackOptions backward(const std::string& from = "out") const {
    RepackOptions options;
    options.model_type = "Wan2.2-TI2V-5B";
    options.reverse = true;
    options.quant_path = (folder_ / from).string();
    options.output_path = (folder_ / "back").string();
    return options;
  }
  WeightStore transformer() const { return WeightStore::open(folder_ / "out/transformer"); }
  nlohmann::ordered_json description_of(const std::string& folder) const {
    return nlohmann::ordered_json::parse(
        content(folder_ / (folder + "/quant_model_description.json")));
  }

  TemporaryFolder folder_;
  ExportedModel model_;
};

TEST_F(RepackTest, RenamesTensorsAndKeepsTheirContent) {
  const RepackSummary summary = repack(forward());
  const WeightStore store = transformer();
  Tensors expected;
  for (const auto& [name, tensor] : model_.tensors)
    expected.emplace(to_diffusers_name(name), tensor);
  expect_equal(tensors_in(store), expected);
  // Some by hand.
  const auto same = [&](const char* name, const char* original) {
    EXPECT_EQ(std::memcmp(store.get(name).data(), model_.tensors.at(original).data(),
                          store.get(name).bytes()),
              0);
  };
  same("blocks.0.attn1.to_q.weight", "blocks.0.self_attn.q.linear.weight");
  same("blocks.0.attn1.to_q.mul_scale", "blocks.0.self_attn.q.div.mul_scale");
  same("blocks.0.attn1.q_rot", "blocks.0.self_attn.q_rot");
  same("blocks.1.norm2.weight", "blocks.1.norm3.weight");
  same("blocks.1.attn2.add_v_proj.weight_scale", "blocks.1.cross_attn.v_img.weight_scale");
  EXPECT_EQ(store.metadata(),
            (Metadata{{"format", "pt"}, {"producer", "a test"}, {"second", "2"}}));

  ASSERT_EQ(summary.components.size(), 1u);
  const RepackedComponent& component = summary.components[0];
  EXPECT_EQ(component.name, "transformer");
  EXPECT_EQ(component.tensors, static_cast<int64_t>(model_.tensors.size()));
  // patch_embedding is called the same.
  EXPECT_EQ(component.renamed, component.tensors - 2);
  EXPECT_EQ(component.packed, 0);
  EXPECT_EQ(component.shards, 1);
  EXPECT_EQ(component.bytes, store.total_bytes());
  EXPECT_TRUE(component.warnings.empty()) << component.warnings[0];
}

TEST_F(RepackTest, RenamesEntriesInPlace) {
  repack(forward());
  auto expected = nlohmann::ordered_json::object();
  for (const auto& [key, value] : model_.description.items())
    expected[model_.tensors.count(key) != 0 ? to_diffusers_name(key) : key] = value;
  const auto got = description_of("out/transformer");
  EXPECT_EQ(got.dump(), expected.dump());
  EXPECT_EQ(got["blocks.0.attn1.to_q.weight_dual_scale"], "W4A4_MXFP4_DUALSCALE");
  EXPECT_EQ(got["mxfp4_dst_type_max"], 7.25);
}

TEST_F(RepackTest, CopiesTheRestOfTheModel) {
  const RepackSummary summary = repack(forward());
  EXPECT_EQ(content(folder_ / "out/vae/deep/weights.bin"), std::string(3 << 20, 'v'));
  EXPECT_EQ(content(folder_ / "out/vae/transformer/inner.txt"), "not a transformer");
  EXPECT_EQ(content(folder_ / "out/transformer/config.json"), kSmallConfig);
  EXPECT_TRUE(fs::exists(folder_ / "out/model_index.json"));
  EXPECT_EQ(summary.copied_files, 4);
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "out"))
    if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"config.json", "diffusion_pytorch_model.safetensors",
                                             "inner.txt", "model_index.json",
                                             "quant_model_description.json", "weights.bin"}));
}

TEST_F(RepackTest, ThereAndBackIsIdentical) {
  RepackOptions options = forward();
  options.max_shard_bytes = 100'000;
  const RepackSummary summary = repack(options);
  EXPECT_GT(summary.components[0].shards, 3);
  EXPECT_TRUE(
      fs::exists(folder_ / "out/transformer/diffusion_pytorch_model.safetensors.index.json"));
  options = backward();
  options.max_shard_bytes = 200'000;
  const RepackSummary back = repack(options);
  EXPECT_EQ(back.components[0].name, ".");
  EXPECT_GT(back.components[0].shards, 1);
  const WeightStore store = WeightStore::open_shards(folder_ / "back", "quant_model_weight");
  expect_equal(tensors_in(store), model_.tensors);
  EXPECT_EQ(store.metadata(), transformer().metadata());
  EXPECT_EQ(description_of("back").dump(), model_.description.dump());
  // And what came back goes forward to the same files again.
  options = forward();
  options.quant_path = (folder_ / "back").string();
  options.output_path = (folder_ / "again").string();
  options.max_shard_bytes = 100'000;
  repack(options);
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "out"))
    if (entry.is_regular_file()) {
      EXPECT_TRUE(content(entry.path()) ==
                  content(folder_ / "again" / entry.path().lexically_relative(folder_ / "out")))
          << entry.path();
    }
}

TEST_F(RepackTest, WarnsWhereTheWayBackDiffers) {
  // A wrapper without scale.
  const Tensor bias = model_.tensors.at("blocks.1.self_attn.o.bias");
  model_.erase("blocks.1.self_attn.o.bias");
  model_.put("blocks.1.self_attn.o.linear.bias", "FLOAT", bias.dtype(), bias.shape());
  model_.write(folder_ / "exported");
  const auto warnings = repack(forward()).components[0].warnings;
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0],
            "--reverse would not give 1 names back as they are: "
            "\"blocks.1.self_attn.o.linear.bias\" becomes \"blocks.1.self_attn.o.bias\"");
}

TEST_F(RepackTest, PacksContainers) {
  RepackOptions options = forward();
  options.pack = true;
  EXPECT_EQ(repack(options).components[0].packed, 3);
  const Tensor container = model_.tensors.at("blocks.0.self_attn.q.linear.weight");
  const Tensor packed = transformer().get("blocks.0.attn1.to_q.weight");
  ASSERT_EQ(packed.dtype(), DType::u8);
  ASSERT_EQ(packed.shape(), (Shape{64, 32}));
  const auto* codes = static_cast<const uint8_t*>(container.data());
  for (int64_t i = 0; i < container.elements(); ++i) {
    const int nibble = packed.as<uint8_t>()[i / 2] >> (i % 2 * 4) & 15;
    ASSERT_EQ(nibble, e2m1_of_e4m3(codes[i])) << i;
  }
  // MXFP8 weights are values, not containers.
  EXPECT_EQ(transformer().get("blocks.0.ffn.net.0.proj.weight").dtype(), DType::f8_e4m3);
  // Packed weights are another form of the same type: they go back, and there is no more to pack.
  options = backward();
  options.pack = true;
  const auto back = repack(options).components[0];
  EXPECT_EQ(back.packed, 0);
  EXPECT_EQ(back.warnings, std::vector<std::string>{"there is nothing to pack"});
}

TEST_F(RepackTest, PackingNamesAValueOffTheGrid) {
  Tensor& weight = model_.tensors.at("blocks.0.self_attn.q.linear.weight");
  static_cast<uint8_t*>(weight.mutable_data())[3 * 64 + 5] = 0x50;  // 8
  model_.write(folder_ / "exported");
  RepackOptions options = forward();
  options.pack = true;
  expect_error(ErrorKind::bad_input,
               {": tensor \"blocks.0.self_attn.q.linear.weight\" at [3, 5]: expected 0, 0.5, 1, "
                "1.5, 2, 3, 4 or 6 with a sign, got 8",
                "quant_model_weight_"},
               [&] { repack(options); });
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  EXPECT_FALSE(fs::exists(folder_ / ".out.partial"));
  options.pack = false;
  repack(options);
}

// The model that comes with mxdit, as two experts: its tensors are real, and it is sharded.
TEST(RepackEmbeddedModel, ThereAndBackIsIdentical) {
  TemporaryFolder folder;
  const fs::path model = fs::path(MXDIT_SOURCE_DIR) / "models/tiny";
  fs::create_directory(folder / "plain");
  fs::copy_file(model / "model_index.json", folder / "plain/model_index.json");
  for (const char* expert : {"transformer", "transformer_2"}) {
    fs::copy(model / expert, folder / "plain" / expert, fs::copy_options::recursive);
    nlohmann::ordered_json description{{"model_quant_type", "FLOAT"}};
    for (const std::string& name : WeightStore::open(model / expert).names())
      description[name] = "FLOAT";
    folder.write(std::string("plain/") + expert + "/quant_model_description.json",
                 description.dump());
  }
  RepackOptions options;
  options.model_type = "Wan2.2-T2V-A14B";
  options.reverse = true;
  options.quant_path = (folder / "plain").string();
  options.output_path = (folder / "back").string();
  const RepackSummary back = repack(options);
  ASSERT_EQ(back.components.size(), 2u);
  EXPECT_EQ(back.components[0].name, "high_noise_model");
  EXPECT_EQ(back.components[1].name, "low_noise_model");
  EXPECT_TRUE(WeightStore::open_shards(folder / "back/low_noise_model", "quant_model_weight")
                  .contains("blocks.3.cross_attn.o.weight"));

  options.reverse = false;
  options.original_model_path = (folder / "plain").string();
  options.quant_path = (folder / "back").string();
  options.output_path = (folder / "out").string();
  options.max_shard_bytes = 3'000'000;
  repack(options);
  for (const char* expert : {"transformer", "transformer_2"}) {
    expect_equal(tensors_in(WeightStore::open(folder / "out" / expert)),
                 tensors_in(WeightStore::open(model / expert)));
    EXPECT_EQ(WeightStore::open(folder / "out" / expert).metadata(),
              WeightStore::open(model / expert).metadata());
  }
}

}  // namespace
}  // namespace mxdit::conversion
