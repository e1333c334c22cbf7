#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "backend/registry.h"
#include "conversion/quantize/plain_model.h"
#include "conversion/quantize/weight_types.h"
#include "conversion/repack/component_plan.h"
#include "conversion/repack/exported_model.h"
#include "conversion/repack/wan_names.h"
#include "formats/reference.h"
#include "mxdit/repack.h"
#include "ops/ops.h"

namespace mxdit::conversion {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Quantize : public testing::Test {
 protected:
  QuantizeModelOptions options(const std::string& model, const std::string& output) {
    QuantizeModelOptions options;
    options.model_path = folder_ / model;
    options.output_path = folder_ / output;
    options.threads = 2;
    return options;
  }
  WeightStore open(const std::string& component) { return WeightStore::open(folder_ / component); }
  Json description(const std::string& component) {
    return read_json_file(folder_ / (component + "/quant_model_description.json"));
  }

  TemporaryFolder folder_;
};

// A stored layer as the matrix it came from.
QuantizedMatrix stored_matrix(const WeightStore& store, const std::string& layer,
                              const WeightType& type, int64_t out, int64_t in) {
  const QuantFormat& format = *type.format;
  QuantizedMatrix matrix{&format, out, in, store.get(layer + ".weight"), {}, {}};
  if (matrix.elements.dtype() == DType::f8_e4m3 && format.element == &kE2m1) {
    Tensor packed = Tensor::host(DType::u8, {out, in / 2});
    for (int64_t i = 0; i < packed.elements(); ++i) {
      const auto code = [&](int64_t j) {
        return to_e2m1(e4m3_to_float(matrix.elements.as<uint8_t>()[j]), RoundMode::rint);
      };
      packed.as_mutable<uint8_t>()[i] = static_cast<uint8_t>(code(2 * i) | code(2 * i + 1) << 4);
    }
    matrix.elements = packed;
  }
  const Tensor scale = store.get(layer + ".weight_scale");
  if (format.block == 0) {
    matrix.scale = scale;
    return matrix;
  }
  matrix.block_scale = Tensor::host(DType::u8, format.block_scale_shape(out, in));
  std::memset(matrix.block_scale.mutable_data(), 0, matrix.block_scale.bytes());
  const int64_t held = matrix.block_scale.elements() / out, stored = in / format.block;
  for (int64_t i = 0; i < scale.elements(); ++i)
    matrix.block_scale.as_mutable<uint8_t>()[i / stored * held + i % stored] =
        scale.as<uint8_t>()[i];
  if (format.has_scale())
    matrix.scale = store.get(layer + ".weight_dual_scale").reshape(format.scale_shape(out, in));
  return matrix;
}

void expect_same_part(const Tensor& got, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(got.defined(), expected.defined()) << what;
  if (!got.defined()) return;
  ASSERT_EQ(got.bytes(), expected.bytes()) << what;
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.bytes()), 0) << what;
}

// Every layer of `store` holds what ops::quantize makes of the plain weight: what online methods
// hold. Returns the types, by the number of layers.
std::map<std::string, int> expect_online_bytes(const WeightStore& store, const WeightStore& plain,
                                               const Json& description) {
  const auto backend = make_backend("cpu", {1, "scalar"});
  std::map<std::string, int> counts;
  for (const std::string& name : plain.names()) {
    const Tensor weight = plain.get(name);
    const std::string type = description.at(name);
    if (type == "FLOAT") {
      const Tensor kept = store.get(name, weight.shape());
      EXPECT_EQ(kept.dtype(), weight.dtype()) << name;
      expect_same_part(kept, weight, name);
      continue;
    }
    const std::string layer = layer_of(name);
    if (last_segment(name) == "bias") {
      const Tensor bias = store.get(name, weight.shape());
      EXPECT_EQ(bias.dtype(), DType::f32);
      for (int64_t i = 0; i < bias.elements(); ++i)
        EXPECT_EQ(bias.as<float>()[i], to_float(bf16{weight.as<uint16_t>()[i]}));
      continue;
    }
    ++counts[type];
    const WeightType& known = find_weight_type(type);
    const QuantizedMatrix got = stored_matrix(store, layer, known, weight.dim(0), weight.dim(1));
    const QuantizedMatrix expected = ops::quantize(*backend, weight, *known.format);
    expect_same_part(got.elements, expected.elements, layer);
    expect_same_part(got.block_scale, expected.block_scale, layer + " block scales");
    expect_same_part(got.scale, expected.scale, layer + " scales");
  }
  return counts;
}

TEST_F(Quantize, WritesTheDefaultRecipe) {
  PlainModel{}.write(folder_, "plain");
  const QuantizeModelSummary summary = quantize_model(options("plain", "made"));
  const Json types = description("made/transformer");
  const WeightStore store = open("made/transformer");
  EXPECT_EQ(expect_online_bytes(store, open("plain/transformer"), types),
            (std::map<std::string, int>{
                {"W8A8_MXFP8", 10}, {"W4A4_MXFP4_DUALSCALE", 20}}));
  EXPECT_EQ(types.at("model_quant_type"), "W4A4_MXFP4_DUALSCALE");
  EXPECT_EQ(types.at("version"), "1.0.0");
  EXPECT_EQ(types.at("group_size"), 32);
  EXPECT_EQ(types.at("metadata").at("rule"), "operator");
  EXPECT_EQ(types.size(), store.names().size() + 4);
  EXPECT_EQ(types.at("blocks.2.ffn.net.2.weight_dual_scale"), "W4A4_MXFP4_DUALSCALE");
  EXPECT_EQ(store.get("blocks.2.ffn.net.2.weight_dual_scale").shape(), (Shape{96, 1, 1}));
  EXPECT_EQ(store.get("blocks.1.attn1.to_q.weight_scale").shape(), (Shape{96, 3}));
  EXPECT_EQ(content_of(folder_ / "made/vae/weights.bin"), "the VAE");
  EXPECT_EQ(content_of(folder_ / "made/transformer/config.json"), kPlainConfig);
  EXPECT_EQ(summary.copied_files, 3);
}

TEST_F(Quantize, ReportsTypesAndErrors) {
  PlainModel{}.write(folder_, "plain");
  const QuantizeModelSummary summary = quantize_model(options("plain", "made"));
  ASSERT_EQ(summary.components.size(), 1u);
  const QuantizedComponentReport& report = summary.components[0];
  std::vector<std::string> names;
  uint64_t before = 0, after = 0;
  for (const QuantizedTypeReport& type : report.types) {
    names.push_back(type.type);
    before += type.bytes_before;
    after += type.bytes_after;
  }
  EXPECT_THAT(names, ElementsAre("W4A4_MXFP4_DUALSCALE", "W8A8_MXFP8", "FLOAT"));
  uint64_t plain_bytes = 0, made_bytes = 0;
  for (const auto& [name, tensor] : tensors_in(open("plain/transformer")))
    plain_bytes += tensor.bytes();
  for (const auto& [name, tensor] : tensors_in(open("made/transformer")))
    made_bytes += tensor.bytes();
  EXPECT_EQ(before, plain_bytes);
  EXPECT_EQ(after, made_bytes);
  // Gaussian weights: about 0.11 in 4 bits, 0.027 in 8.
  EXPECT_NEAR(report.types[0].mean_relative_error, 0.115, 0.03);
  EXPECT_NEAR(report.types[1].mean_relative_error, 0.027, 0.008);
  EXPECT_GE(report.types[0].largest_relative_error, report.types[0].mean_relative_error);
  EXPECT_EQ(report.types[2].mean_relative_error, 0);
  EXPECT_EQ(report.types[2].layers, 1);
  ASSERT_EQ(report.layers.size(), 31u);
  const auto& layer = report.layers[10];
  EXPECT_EQ(layer.name, "blocks.1.attn1.to_q");
  const Tensor weight = open("plain/transformer").get(layer.name + ".weight");
  const Tensor decoded = reference::dequantize(reference::quantize(weight, kMxfp4Dual));
  double error = 0, size = 0;
  for (int64_t i = 0; i < weight.elements(); ++i) {
    const double value = to_float(bf16{weight.as<uint16_t>()[i]});
    error += (value - decoded.as<double>()[i]) * (value - decoded.as<double>()[i]);
    size += value * value;
  }
  EXPECT_NEAR(layer.relative_error, std::sqrt(error / size), 1e-8);
  EXPECT_THAT(report.warnings, ::testing::IsEmpty());
}

class QuantizeTypes : public Quantize, public testing::WithParamInterface<const char*> {};

TEST_P(QuantizeTypes, HoldsWhatTheOnlineMethodHolds) {
  PlainModel{}.write(folder_, "plain");
  QuantizeModelOptions wanted = options("plain", "made");
  wanted.type = GetParam();
  wanted.proj_out = true;
  quantize_model(wanted);
  const auto counts = expect_online_bytes(open("made/transformer"), open("plain/transformer"),
                                          description("made/transformer"));
  EXPECT_GE(counts.at(wanted.type), 3);
  EXPECT_EQ(description("made/transformer").at("model_quant_type"), wanted.type);
}

INSTANTIATE_TEST_SUITE_P(All, QuantizeTypes,
                         testing::Values("W8A8_MXFP8", "W4A4_MXFP4", "W4A4_MXFP4_DUALSCALE",
                                         "W8A8_DYNAMIC", "W4A4_DYNAMIC"));

TEST_F(Quantize, IntegerLayersHaveOffsetsOfZero) {
  PlainModel{}.write(folder_, "plain");
  QuantizeModelOptions wanted = options("plain", "made");
  wanted.type = "W8A8_DYNAMIC";
  quantize_model(wanted);
  const Tensor offset = open("made/transformer").get("blocks.0.attn1.to_q.weight_offset", {96, 1});
  EXPECT_EQ(offset.dtype(), DType::f32);
  for (int64_t i = 0; i < 96; ++i) EXPECT_EQ(offset.as<float>()[i], 0.0f);
  EXPECT_EQ(description("made/transformer").at("group_size"), 0);
}

TEST_F(Quantize, ContainersHoldThePackedValues) {
  PlainModel{}.write(folder_, "plain");
  QuantizeModelOptions wanted = options("plain", "packed");
  quantize_model(wanted);
  wanted.output_path = folder_ / "container";
  wanted.container = true;
  quantize_model(wanted);
  const Tensors packed = tensors_in(open("packed/transformer"));
  const Tensors container = tensors_in(open("container/transformer"));
  EXPECT_EQ(description("packed/transformer"), description("container/transformer"));
  int differing = 0;
  for (const auto& [name, tensor] : packed) {
    const Tensor& other = container.at(name);
    if (other.dtype() == tensor.dtype()) {
      expect_same_part(other, tensor, name);
      continue;
    }
    ++differing;
    ASSERT_EQ(other.dtype(), DType::f8_e4m3) << name;
    ASSERT_EQ(other.elements(), 2 * tensor.elements());
    for (int64_t i = 0; i < other.elements(); ++i) {
      const uint8_t pair = tensor.as<uint8_t>()[i / 2];
      const uint8_t code = i % 2 == 0 ? pair & 0xF : pair >> 4;
      const float value = e4m3_to_float(other.as<uint8_t>()[i]);
      ASSERT_EQ(value, e2m1_to_float(code)) << name << " " << i;
      ASSERT_EQ(std::signbit(value), (code & 8) != 0) << name << " " << i;
    }
  }
  EXPECT_EQ(differing, 20);
}

TEST_F(Quantize, RoundsF32AsTheOnlineMethodDoes) {
  PlainModel model;
  model.dtype = DType::f32;
  model.write(folder_, "plain");
  quantize_model(options("plain", "made"));
  const Tensor weight = open("plain/transformer").get("blocks.2.ffn.net.2.weight");
  Tensor rounded = Tensor::host(DType::bf16, weight.shape());
  for (int64_t i = 0; i < weight.elements(); ++i)
    rounded.as_mutable<uint16_t>()[i] = to_bf16(weight.as<float>()[i]).bits;
  const QuantizedMatrix expected = reference::quantize(rounded, kMxfp4Dual);
  expect_same_part(open("made/transformer").get("blocks.2.ffn.net.2.weight"), expected.elements,
                   "elements");
}

TEST_F(Quantize, GivesTheSameBytesAlways) {
  PlainModel{}.write(folder_, "plain");
  QuantizeModelOptions wanted = options("plain", "first");
  wanted.threads = 1;
  quantize_model(wanted);
  const auto expected = files_below(folder_ / "first");
  for (const int threads : {1, 3}) {
    wanted.threads = threads;
    wanted.output_path = folder_ / ("again" + std::to_string(threads));
    quantize_model(wanted);
    EXPECT_EQ(files_below(wanted.output_path) == expected, true) << threads;
  }
}

TEST_F(Quantize, MinmaxIsAnotherEncodingOfTheSameTensors) {
  PlainModel{}.write(folder_, "plain");
  QuantizeModelOptions wanted = options("plain", "made");
  wanted.rule = "minmax";
  wanted.type = "W4A4_MXFP4_DUALSCALE";
  wanted.keep = {"attn1", "attn2", "ffn.net.0.proj"};
  const auto summary = quantize_model(wanted);
  EXPECT_EQ(summary.components[0].types[0].layers, 3);
  EXPECT_NEAR(summary.components[0].types[0].mean_relative_error, 0.115, 0.03);
  EXPECT_EQ(description("made/transformer").at("metadata").at("rule"), "minmax");
}

TEST_F(Quantize, ShardsKeepEveryTensor) {
  PlainModel{}.write(folder_, "plain");
  quantize_model(options("plain", "one"));
  QuantizeModelOptions wanted = options("plain", "many");
  wanted.max_shard_bytes = 20'000;  // less than most layers: their tensors are torn apart
  const auto summary = quantize_model(wanted);
  EXPECT_GT(summary.components[0].files, 20);
  expect_equal(tensors_in(open("many/transformer")), tensors_in(open("one/transformer")));
  EXPECT_TRUE(std::filesystem::exists(
      folder_ / "many/transformer/diffusion_pytorch_model.safetensors.index.json"));
}

TEST_F(Quantize, OriginalNamesComeBackByRepacking) {
  PlainModel model;
  model.two_experts = true;
  model.write(folder_, "plain");
  QuantizeModelOptions wanted = options("plain", "made");
  wanted.container = true;
  quantize_model(wanted);
  wanted.output_path = folder_ / "exported";
  wanted.original_names = true;
  wanted.max_shard_bytes = 100'000;
  const auto summary = quantize_model(wanted);
  EXPECT_EQ(summary.components[1].name, "low_noise_model");
  EXPECT_EQ(summary.copied_files, 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "exported/model_index.json"));
  EXPECT_TRUE(description("exported/high_noise_model").contains("blocks.0.self_attn.q.weight"));
  RepackOptions repacking;
  repacking.model_type = "Wan2.2-T2V-A14B";
  repacking.original_model_path = folder_ / "plain";
  repacking.quant_path = folder_ / "exported";
  repacking.output_path = folder_ / "repacked";
  EXPECT_THAT(repack(repacking).components[0].warnings, ElementsAre());
  for (const char* expert : {"/transformer", "/transformer_2"}) {
    expect_equal(tensors_in(open(std::string("repacked") + expert)),
                 tensors_in(open(std::string("made") + expert)));
    EXPECT_EQ(description(std::string("repacked") + expert),
              description(std::string("made") + expert));
  }
}

TEST_F(Quantize, ASingleExportedModelLiesInTheFolderItself) {
  PlainModel{}.write(folder_, "plain");
  QuantizeModelOptions wanted = options("plain", "exported");
  wanted.original_names = true;
  quantize_model(wanted);
  std::vector<std::string> names;
  for (const auto& [name, content] : files_below(folder_ / "exported")) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("quant_model_description.json", "quant_model_weight.safetensors"));
}

TEST_F(Quantize, PassesTheChecksOfRepacking) {
  PlainModel{}.write(folder_, "plain");
  quantize_model(options("plain", "made"));
  const auto plan =
      plan_component(open("made/transformer"), Description::read(folder_ / "made/transformer"),
                     wan_dit::parse_config(parse_json(kPlainConfig, "config"), "config"),
                     Direction::to_original, false);
  EXPECT_THAT(plan.warnings, ElementsAre());
}

TEST_F(Quantize, ForceReplacesAnEarlierOutput) {
  PlainModel{}.write(folder_, "plain");
  QuantizeModelOptions wanted = options("plain", "made");
  quantize_model(wanted);
  wanted.type = "W8A8_DYNAMIC";
  wanted.force = true;
  quantize_model(wanted);
  EXPECT_EQ(description("made/transformer").at("model_quant_type"), "W8A8_DYNAMIC");
}

}  // namespace
}  // namespace mxdit::conversion
