// Products of the Ascend back end, to the bit: linear layers, quantized ones, attention and
// convolutions.
#include <array>

#include "ascend/ascend_testing.h"

namespace mxdit::ascend {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16};
constexpr Activation kActs[] = {Activation::none, Activation::silu, Activation::gelu_tanh,
                                Activation::gelu_erf};

class Products : public AscendTest {};

TEST_F(Products, Linear) {
  size_t i = 0;
  for (const DType type : kTypes)
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 33, 515}, {7, 17, 31}, {20, 1, 64},
                                  {5, 48, 1}, {65, 70, 300}})
      for (const bool has_bias : {false, true}) {
        const Activation act = kActs[i++ % 4];
        const Tensor x = random_tensor(type, {m, k}, 1);
        const Tensor w = random_tensor(DType::bf16, {n, k}, 2);
        const Tensor bias = bf16_values({n}, 3);
        expect_exact(mxdit::detail::concat("linear ", name(type), " ", m, "x", n, "x", k,
                                           has_bias ? " bias" : ""),
                     [&](Backend& b) {
                       const auto weight = b.prepare_linear(b.from_host(w), {.bias = has_bias});
                       const Tensor summand = b.from_host(bias);
                       return ops::linear(b, b.from_host(x), *weight,
                                          has_bias ? &summand : nullptr, act);
                     });
      }
}

// Stored types that bf16 does not hold are rounded to it once.
TEST_F(Products, LinearOfOtherStoredTypes) {
  const Tensor x = random_tensor(DType::bf16, {5, 40}, 1);
  for (const DType stored : {DType::f32, DType::f16, DType::f8_e4m3, DType::f8_e5m2}) {
    const Tensor w = random_tensor(stored, {9, 40}, 2);
    for (const bool has_bias : {false, true})
      expect_exact("linear of " + std::string(name(stored)), [&](Backend& b) {
        const Tensor rounded = ops::cast(b, b.from_host(w), DType::bf16);
        const auto weight = b.prepare_linear(&b == exact_.get() ? rounded : b.from_host(w),
                                             {.bias = has_bias});
        const Tensor bias = b.from_host(bf16_values({9}, 3));
        return ops::linear(b, b.from_host(x), *weight, has_bias ? &bias : nullptr);
      });
  }
}

TEST_F(Products, LinearOfSlices) {
  const Tensor x = random_tensor(DType::bf16, {9, 7}, 1), w = random_tensor(DType::bf16, {6, 7}, 2);
  expect_exact("linear of a slice", [&](Backend& b) {
    const auto weight = b.prepare_linear(b.from_host(w).slice(1, 5), {.bias = false});
    return ops::linear(b, b.from_host(x).slice(2, 7), *weight, nullptr);
  });
}

TEST_F(Products, Attention) {
  for (const DType type : kTypes)
    for (const int64_t size : {16, 128, 800}) {
      const Tensor q = random_tensor(type, {2, 9, 3, size}, 1, 2.0f);
      const Tensor k = random_tensor(type, {2, 21, 3, size}, 2);
      const Tensor v = random_tensor(type, {2, 21, 3, size}, 3);
      const Tensor bias = random_tensor(DType::f32, {3, 9, 21}, 4);
      const std::array<int64_t, 2> lengths = {20, 0};
      for (const bool biased : {false, true})
        for (const bool cut : {false, true})
          expect_exact(mxdit::detail::concat("attention ", name(type), " ", size,
                                             biased ? " bias" : "", cut ? " lengths" : ""),
                       [&](Backend& b) {
                         const Tensor added = b.from_host(bias);
                         AttentionParams params;
                         params.scale = 0.3f;
                         if (biased) params.bias = &added;
                         if (cut) params.kv_length = lengths;
                         return ops::attention(b, b.from_host(q), b.from_host(k), b.from_host(v),
                                               params);
                       });
    }
}

// ---- quantized ----

QuantizedMatrix on(Backend& b, const Tensor& x, const QuantFormat& format,
                   const QuantizeOptions& options = {}) {
  return ops::quantize(b, b.from_host(x), format, options);
}

constexpr const QuantFormat* kFormats[] = {&kMxfp4Dual, &kMxfp4, &kMxfp8, &kMxfp8E5m2};

TEST_F(Products, QuantizationGivesTheBytesOfTheOthers) {
  for (const QuantFormat* format : kFormats)
    for (const DType type : {DType::bf16, DType::f16})
      for (const int64_t columns : {2, 30, 64, 66, 512, 514, 1538})
        for (const RoundMode round : {RoundMode::rint, RoundMode::round, RoundMode::floor})
          for (const bool has_smooth : {false, true}) {
            const Tensor x = random_tensor(type, {5, columns}, 5, 30.0f);
            const Tensor smooth = random_tensor(type, {columns}, 6);
            const auto part = [&](Tensor QuantizedMatrix::* member) {
              return [&, member](Backend& b) {
                const Tensor on_device = b.from_host(smooth);
                QuantizeOptions options;
                options.round = round;
                if (has_smooth) options.smooth_scale = &on_device;
                return on(b, x, *format, options).*member;
              };
            };
            const std::string what =
                mxdit::detail::concat(format->name, " ", name(type), " ", columns, " round ",
                                      static_cast<int>(round), has_smooth ? " smooth" : "");
            expect_exact(what + ", elements", part(&QuantizedMatrix::elements));
            expect_exact(what + ", block scales", part(&QuantizedMatrix::block_scale));
            if (format->has_scale()) expect_exact(what + ", scales", part(&QuantizedMatrix::scale));
          }
}

TEST_F(Products, Quantized) {
  size_t i = 0;
  for (const QuantFormat* format : kFormats)
    for (const DType type : {DType::bf16, DType::f16, DType::f32})
      for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 33, 514}, {7, 17, 66}, {20, 1, 64},
                                    {5, 48, 1538}, {3, 16, 4}}) {
        if (format == &kMxfp4Dual && type == DType::f32) continue;  // rounded to bf16 first
        const bool has_bias = i % 3 != 0;
        const Activation act = type == DType::f16 ? Activation::none : kActs[i % 4];
        ++i;
        const Tensor x = random_tensor(DType::bf16, {m, k}, 1);
        const Tensor w = random_tensor(DType::bf16, {n, k}, 2);
        const Tensor bias = random_tensor(DType::f32, {n}, 3);
        expect_exact(mxdit::detail::concat(format->name, " ", name(type), " ", m, "x", n, "x", k,
                                           has_bias ? " bias" : ""),
                     [&](Backend& b) {
                       const auto weight = b.prepare_quantized(on(b, w, *format));
                       const Tensor summand = b.from_host(bias);
                       return ops::quantized_linear(b, on(b, x, *format), *weight,
                                                    has_bias ? &summand : nullptr, act, type);
                     });
      }
}

TEST_F(Products, DualLevelIntoFp32IsRoundedToBf16) {
  const Tensor x = random_tensor(DType::bf16, {3, 64}, 1), w = random_tensor(DType::bf16, {5, 64}, 2);
  const auto product = [&](Backend& b, DType type) {
    const auto weight = b.prepare_quantized(on(b, w, kMxfp4Dual));
    return ops::quantized_linear(b, on(b, x, kMxfp4Dual), *weight, nullptr, Activation::none, type);
  };
  const Tensor wide = product(*ascend_, DType::f32);
  const Tensor rounded = ops::cast(*ascend_, product(*ascend_, DType::bf16), DType::f32);
  EXPECT_TRUE(equal_bytes(ascend_->to_host(rounded), ascend_->to_host(wide)));
}

TEST_F(Products, Dequantized) {
  for (const QuantFormat* format : kFormats) {
    const Tensor x = random_tensor(DType::bf16, {3, 66}, 7);
    expect_exact("dequantize " + std::string(format->name),
                 [&](Backend& b) { return ops::dequantize(b, on(b, x, *format)); });
  }
}

TEST_F(Products, FormatsWithoutAnOperatorAreRefusedByName) {
  for (const QuantFormat* format : {&kInt8Row, &kInt4Row, &kFp8Row, &kNvfp4}) {
    const KernelChoice choice = ascend_->quantized_kernel(*format, *format, 64, 64);
    EXPECT_EQ(choice.kernel, "none");
    EXPECT_NE(choice.refusal.find(format->name), std::string::npos) << choice.refusal;
    const QuantizedMatrix matrix = conformance::empty_matrix(*ascend_, *format, 4, 64);
    try {
      ascend_->prepare_quantized(matrix);
      ADD_FAILURE() << format->name << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported);
      EXPECT_NE(std::string(error.what()).find(format->name), std::string::npos) << error.what();
    }
  }
  EXPECT_NE(ascend_->quantized_kernel(kMxfp8, kMxfp4Dual, 64, 64).refusal, "");
  EXPECT_EQ(ascend_->quantized_kernel(kMxfp8, kMxfp8, 64, 64).refusal, "");
  EXPECT_EQ(ascend_->quantized_kernel(kMxfp8, kMxfp8, 1, 64).kernel, "aclnnQuantMatmulV5");
}

// ---- convolutions ----

struct Conv {
  int64_t frames, height, width, in, out;
  std::array<int64_t, 3> kernel;
  Conv3dParams params;
};

TEST_F(Products, Convolutions) {
  const Conv3dParams same = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  Conv3dParams causal = same;
  causal.zero_frames = 2;
  const Conv convs[] = {
      {1, 5, 7, 3, 8, {3, 3, 3}, causal},
      {3, 4, 9, 16, 3, {3, 3, 3}, same},
      {2, 9, 10, 6, 5, {1, 3, 3}, {.stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1}},
      {5, 3, 5, 20, 17, {3, 1, 1}, {.stride_t = 2}},
      {2, 5, 33, 9, 4, {1, 1, 1}, {}}};
  for (const DType type : kTypes)
    for (const Conv& c : convs) {
      const Tensor x = random_tensor(type, {c.frames, c.height, c.width, c.in}, 1);
      const Tensor w = random_tensor(
          DType::bf16, {c.out, c.in, c.kernel[0], c.kernel[1], c.kernel[2]}, 2);
      const Tensor bias = bf16_values({c.out}, 3);
      expect_close(mxdit::detail::concat("conv3d ", name(type), " ", x.shape(), " ", w.shape()),
                   [&](Backend& b) {
                     const auto weight =
                         b.prepare_conv3d(ops::cast(b, b.from_host(w), type), type);
                     const Tensor input = b.from_host(x), summand = b.from_host(bias);
                     const std::array<Tensor, 2> clips = {input.slice(0, 1),
                                                          input.slice(1, c.frames)};
                     const size_t count = c.frames > 1 ? 2 : 1;
                     return ops::conv3d(b, {clips.data(), count}, *weight, c.kernel, &summand,
                                        c.params);
                   });
    }
}

TEST_F(Products, ConvolutionTails) {
  const Conv3dParams same = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  const Tensor x = random_tensor(DType::bf16, {1, 5, 6, 4}, 1);
  const Tensor w = random_tensor(DType::bf16, {7, 4, 1, 3, 3}, 2);
  const Tensor residual = random_tensor(DType::bf16, {1, 5, 6, 7}, 4);
  const Tensor gain = random_tensor(DType::f32, {7}, 5);
  for (const bool has_residual : {false, true})
    for (const bool has_norm : {false, true})
      for (const int border : {0, 1}) {
        if (border > 0 && !has_norm) continue;
        expect_close("tail", [&](Backend& b) {
          const auto weight = b.prepare_conv3d(b.from_host(w), DType::bf16);
          const Tensor input = b.from_host(x), y = b.from_host(residual), g = b.from_host(gain);
          Conv3dTail tail;
          if (has_residual) tail.residual = &y;
          if (has_norm) tail = {tail.residual, &g, Activation::silu, border};
          return ops::conv3d(b, {&input, 1}, *weight, {1, 3, 3}, nullptr, same, tail);
        });
      }
}

TEST_F(Products, ChannelNorms) {
  for (const DType type : kTypes)
    for (const Activation act : {Activation::none, Activation::silu})
      for (const int border : {0, 2}) {
        const Tensor x = random_tensor(type, {2, 3, 5, 7}, 8, 4.0f);
        const Tensor gain = random_tensor(DType::f32, {7}, 9);
        expect_close("channel_norm", [&](Backend& b) {
          return ops::channel_norm(b, b.from_host(x), b.from_host(gain), act, border);
        });
      }
}

}  // namespace
}  // namespace mxdit::ascend
