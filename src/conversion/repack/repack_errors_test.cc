// What repacking refuses, and that nothing is left of it.
#include <gtest/gtest.h>

#include "conversion/repack/exported_model.h"
#include "mxdit/repack.h"

namespace mxdit::conversion {
namespace {

namespace fs = std::filesystem;

class RepackErrors : public ::testing::Test {
 protected:
  RepackErrors() {
    write_original_model(folder_, "original", false);
    write();
    options_.model_type = "Wan2.1-I2V-14B";
    options_.original_model_path = at("original");
    options_.quant_path = at("exported");
    options_.output_path = at("new/out");
  }

  void write() const {
    fs::remove_all(folder_ / "exported");
    model_.write(folder_ / "exported");
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  // The whole message.
  void refuses(ErrorKind kind, const std::string& text) const {
    try {
      repack(options_);
      ADD_FAILURE() << "expected: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), text);
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << text;
    }
    EXPECT_FALSE(fs::exists(folder_ / "new"));
  }

  TemporaryFolder folder_;
  ExportedModel model_;
  RepackOptions options_;
};

TEST_F(RepackErrors, Options) {
  options_.model_type = "Wan3";
  refuses(ErrorKind::usage,
          "[conversion] --model-type: expected one of Wan2.2-T2V-A14B, Wan2.2-I2V-A14B, "
          "Wan2.2-TI2V-5B, Wan2.1-T2V-1.3B, Wan2.1-T2V-14B, Wan2.1-I2V-14B, got \"Wan3\"");
  options_.model_type = "Wan2.1-I2V-14B";
  options_.max_shard_bytes = 0;
  refuses(ErrorKind::usage, "[conversion] --max-shard-size: expected at least one byte, got 0");
  options_.max_shard_bytes = 1;
  options_.reverse = true;
  refuses(ErrorKind::usage,
          "[conversion] --original-model-path: expected not to stand beside --reverse, which reads "
          "--quant-path alone, got " +
              at("original"));
  options_.reverse = false;
  options_.original_model_path = "";
  refuses(ErrorKind::usage, "[conversion] --original-model-path: expected a folder, got none");
  options_.quant_path = "";
  refuses(ErrorKind::usage, "[conversion] --quant-path: expected a folder, got none");
}

TEST_F(RepackErrors, OutputWithinAnInput) {
  options_.output_path = at("exported/out");
  refuses(ErrorKind::usage, "[conversion] " + at("exported/out") +
                                ": expected a folder apart from --quant-path, got one inside of "
                                "the other (" +
                                at("exported") + ")");
  options_.output_path = at("original");
  options_.force = true;
  refuses(ErrorKind::usage,
          "[conversion] " + at("original") +
              ": expected a folder apart from --original-model-path, got the same one (" +
              at("original") + ")");
}

TEST_F(RepackErrors, OneFolderForBothInputs) {
  options_.quant_path = at("original");
  refuses(ErrorKind::usage,
          "[conversion] --quant-path: expected another folder than --original-model-path, got " +
              at("original") + " for both");
}

TEST_F(RepackErrors, Folders) {
  options_.model_type = "Wan2.2-I2V-A14B";
  refuses(
      ErrorKind::bad_input,
      "[conversion] " + at("original/model_index.json") +
          ": expected transformer and transformer_2 for Wan2.2-I2V-A14B, got transformer alone");
  write_original_model(folder_, "original", true);
  refuses(ErrorKind::not_found,
          "[conversion] " + at("exported/high_noise_model") +
              ": expected a folder with the weights of a transformer, got none");
  model_.write(folder_ / "exported/high_noise_model");
  refuses(ErrorKind::not_found,
          "[conversion] " + at("exported/low_noise_model") +
              ": expected a folder with the weights of a transformer, got none");
  options_.model_type = "Wan2.1-I2V-14B";
  refuses(ErrorKind::bad_input, "[conversion] " + at("original/model_index.json") +
                                    ": expected transformer alone for Wan2.1-I2V-14B, got both");
}

TEST_F(RepackErrors, Files) {
  fs::remove(folder_ / "exported/quant_model_description.json");
  refuses(ErrorKind::not_found, "[conversion] " + at("exported") +
                                    ": expected a file quant_model_description*.json, got none");
  for (const char* file : {"1", "2"})
    fs::remove(folder_ / ("exported/quant_model_weight_" + std::string(file) + ".safetensors"));
  refuses(ErrorKind::not_found, "[checkpoint] " + at("exported") +
                                    ": expected files quant_model_weight*.safetensors, got none");
}

TEST_F(RepackErrors, AnotherClassOfTransformer) {
  folder_.write("original/model_index.json", R"({"_class_name": "WanPipeline",
      "transformer": ["diffusers", "WanVACETransformer3DModel"]})");
  refuses(ErrorKind::unsupported, "[conversion] " + at("original/model_index.json") +
                                      ": component \"transformer\": expected "
                                      "WanTransformer3DModel, got WanVACETransformer3DModel");
}

TEST_F(RepackErrors, ExtraMisshapenAndMistypedTensors) {
  const auto place = [&](const char* name) {
    write();
    return WeightStore::open_shards(folder_ / "exported", "quant_model_weight")
        .file_of(name)
        .string();
  };
  model_.put("blocks.2.norm3.weight", "FLOAT", DType::f32, {64});
  refuses(ErrorKind::bad_input, "[conversion] " + place("blocks.2.norm3.weight") +
                                    ": tensor \"blocks.2.norm3.weight\": expected a tensor of the "
                                    "model or of a quantized layer, got F32 [64], which nothing "
                                    "reads");
  model_.erase("blocks.2.norm3.weight");
  model_.put("blocks.0.ffn.0.weight_scale", "W8A8_MXFP8", DType::u8, {1024, 32, 2});
  refuses(
      ErrorKind::bad_input,
      "[conversion] " + place("blocks.0.ffn.0.weight_scale") +
          ": tensor \"blocks.0.ffn.0.weight_scale\": expected U8 [1024, 2] for type W8A8_MXFP8, "
          "got U8 [1024, 32, 2]");
  model_.put("blocks.0.ffn.0.weight_scale", "W8A8_MXFP8", DType::i8, {1024, 2});
  refuses(
      ErrorKind::bad_input,
      "[conversion] " + place("blocks.0.ffn.0.weight_scale") +
          ": tensor \"blocks.0.ffn.0.weight_scale\": expected U8 [1024, 2] for type W8A8_MXFP8, "
          "got I8 [1024, 2]");
}

TEST_F(RepackErrors, MetadataThatDisagrees) {
  model_.metadata["format"] = "mlx";
  write();
  refuses(ErrorKind::bad_input, "[checkpoint] " + at("exported/quant_model_weight_2.safetensors") +
                                    ": metadata \"format\": expected \"mlx\" as in the shards "
                                    "before, got \"pt\"");
}

TEST_F(RepackErrors, ATensorInTwoFiles) {
  write_safetensors(folder_ / "exported/quant_model_weight_3.safetensors",
                    {{"head.modulation", model_.tensors.at("head.modulation")}});
  try {
    repack(options_);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what())
                  .find("[checkpoint] " + at("exported") +
                        "/quant_model_weight_3.safetensors: tensor "
                        "\"head.modulation\": expected in one shard"),
              0u)
        << error.what();
  }
}

TEST_F(RepackErrors, NamesThatCollide) {
  model_.put("blocks.0.ffn.0.linear.bias", "FLOAT", DType::f32, {1024});
  write();
  refuses(
      ErrorKind::bad_input,
      "[conversion] " + at("exported") +
          ": tensors \"blocks.0.ffn.0.bias\" and \"blocks.0.ffn.0.linear.bias\": expected names "
          "of their own after renaming, got \"blocks.0.ffn.net.0.proj.bias\" for both");
}

TEST_F(RepackErrors, MissingTensor) {
  model_.erase("blocks.1.cross_attn.norm_k_img.weight");
  write();
  refuses(ErrorKind::not_found,
          "[conversion] " + at("exported") +
              ": tensor \"blocks.1.cross_attn.norm_k_img.weight\": expected F32, F16 or BF16 [64], "
              "got none");
}

TEST_F(RepackErrors, EntryWithoutTensor) {
  model_.tensors.erase("blocks.0.self_attn.q.div.mul_scale");
  write();
  refuses(ErrorKind::bad_input,
          "[conversion] " + at("exported/quant_model_description.json") +
              ": entry \"blocks.0.self_attn.q.div.mul_scale\": expected a tensor of that name in " +
              at("exported") + ", got none");
}

TEST_F(RepackErrors, EntryOfAnotherType) {
  model_.description["blocks.0.ffn.0.weight"] = 8;
  write();
  refuses(ErrorKind::bad_input,
          "[conversion] " + at("exported/quant_model_description.json") +
              ": entry \"blocks.0.ffn.0.weight\": expected the name of a type, got 8");
}

TEST_F(RepackErrors, TensorsWithoutEntry) {
  model_.description.erase("blocks.0.ffn.0.weight");
  write();
  try {
    repack(options_);
    ADD_FAILURE();
  } catch (const Error& error) {
    // The layer is taken as plain, and its weight is none.
    EXPECT_NE(std::string(error.what())
                  .find("tensor \"blocks.0.ffn.0.weight\": expected F32, F16 or BF16 [1024, 64], "
                        "got F8_E4M3 [1024, 64]"),
              std::string::npos)
        << error.what();
  }
  model_.put("blocks.0.ffn.0.weight", "", DType::bf16, {1024, 64});
  model_.description.erase("blocks.0.ffn.0.weight");
  write();
  const std::string place = WeightStore::open_shards(folder_ / "exported", "quant_model_weight")
                                .file_of("blocks.0.ffn.0.weight_scale")
                                .string();
  refuses(ErrorKind::bad_input,
          "[conversion] " + place +
              ": tensor \"blocks.0.ffn.0.weight_scale\": expected its layer to have a quantized "
              "type in " +
              at("exported/quant_model_description.json") +
              ", got no entry for \"blocks.0.ffn.0.weight\"");
}

TEST_F(RepackErrors, ForwardNeedsOriginalNames) {
  model_.put("proj_out.weight", "FLOAT", DType::f32, {16, 64});
  write();
  refuses(ErrorKind::bad_input,
          "[conversion] " + at("exported") +
              ": tensor \"proj_out.weight\": expected a name as in Wan's original checkpoints, got "
              "one of diffusers");
}

}  // namespace
}  // namespace mxdit::conversion
