// Quantization to the bit: every format, rule, input type and rounding on every kernel table, at
// one and three threads, against formats/reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <random>

#include "backend/registry.h"
#include "conformance/cases.h"
#include "conformance/targets.h"
#include "formats/reference.h"

namespace mxdit::conformance {
namespace {

// ---- inputs ----

uint16_t bits_of(DType type, float value) {
  return type == DType::bf16 ? to_bf16(value).bits : to_f16(value).bits;
}

// What a row is made of; each family aims at one way to go wrong.
constexpr int kFamilies = 8;
uint16_t draw(DType type, int family, int64_t column, std::mt19937& random) {
  const bool is_bf16 = type == DType::bf16;
  const uint32_t bits = static_cast<uint32_t>(random());
  const float uniform = static_cast<float>(bits >> 8) / 8388608.0f - 1.0f;
  switch (family) {
    case 0:  // ordinary
      return bits_of(type, uniform);
    case 1:  // magnitudes over the type's whole range
      return bits_of(type, std::ldexp(uniform, static_cast<int>(bits % (is_bf16 ? 250 : 40)) -
                                                   (is_bf16 ? 125 : 24)));
    case 2:  // halves and quarters: ties of every grid
      return bits_of(type, static_cast<float>(static_cast<int>(bits % 257) - 128) / 8.0f);
    case 3:  // subnormals and zeros of both signs
      return static_cast<uint16_t>(bits & (is_bf16 ? 0x807fu : 0x83ffu));
    case 4:  // one infinity or NaN in a while
      if (bits % 122 == 0) return is_bf16 ? 0xff80 : 0xfc00;
      if (bits % 122 == 61) return is_bf16 ? 0x7fc1 : 0x7e01;
      return bits_of(type, uniform * 100.0f);
    case 5:  // zeros but for a column
      return column % 37 == 5 ? bits_of(type, uniform) : static_cast<uint16_t>(bits & 0x8000u);
    case 6:  // the smallest and the largest exponents in one block
      return static_cast<uint16_t>((bits & 1) != 0 ? bits & 0x80ffu : (bits & 0x80ffu) | 0x7a00u);
    default:  // outliers
      return bits_of(type, column % 100 == 3 ? uniform * 1000.0f : uniform * 0.01f);
  }
}

Tensor family_rows(DType type, int64_t rows, int64_t columns, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor x = Tensor::host(type, {rows, columns});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      x.as_mutable<uint16_t>()[r * columns + c] =
          draw(type, static_cast<int>(r % kFamilies), c, random);
  return x;
}

Tensor random_bit_rows(DType type, int64_t rows, int64_t columns, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor x = Tensor::host(type, {rows, columns});
  for (int64_t i = 0; i < x.elements(); ++i)
    x.as_mutable<uint16_t>()[i] = static_cast<uint16_t>(random());
  return x;
}

// Every bit pattern, neighbours side by side, so that blocks hold one exponent.
Tensor every_pattern(DType type) {
  Tensor x = Tensor::host(type, {128, 512});
  for (int64_t i = 0; i < x.elements(); ++i) x.as_mutable<uint16_t>()[i] = static_cast<uint16_t>(i);
  return x;
}

// ---- comparison ----

struct Setting {
  const QuantFormat* format;
  DType type;
  RoundMode round;
  bool smooth;
  float static_scale, static_offset;

  std::string name() const {
    return detail::concat(format->name, " ", mxdit::name(type), " round ", static_cast<int>(round),
                          smooth ? " smooth" : "", " static ", static_scale, " + ", static_offset);
  }
};

std::vector<Setting> settings() {
  std::vector<Setting> list;
  for (const QuantFormat* format : quant_formats())
    for (const DType type : {DType::bf16, DType::f16})
      for (const RoundMode round : {RoundMode::rint, RoundMode::round, RoundMode::floor}) {
        const bool rounds = format->element->bits == 4 || format->element->storage == DType::i8;
        if (!rounds && round != RoundMode::rint) continue;
        const bool nv = format->rule == ScaleRule::nv_block;
        list.push_back({format, type, round, false, nv ? 1.0f / 2688.0f : 0.0f, 0.0f});
        list.push_back({format, type, round, true, nv ? 3e-30f : 0.0f, 0.0f});
        if (format->rule != ScaleRule::row_maximum) continue;
        list.push_back({format, type, round, false, 0.037f, 0.0f});
        list.push_back({format, type, round, true, 1e-39f, -3.0f});
      }
  return list;
}

Tensor smooth_scale(DType type, int64_t columns) {
  std::mt19937 random(7);
  Tensor scale = Tensor::host(type, {columns});
  for (int64_t c = 0; c < columns; ++c) {
    float value = std::ldexp(static_cast<float>(random() % 255 + 1) / 128.0f,
                             static_cast<int>(random() % 8) - 4);
    if (c % 50 == 9) value = 0.0f;
    if (c % 50 == 33) value = -1e30f;  // overflows bf16's product now and then, f16's always
    scale.as_mutable<uint16_t>()[c] = bits_of(type, value);
  }
  return scale;
}

QuantizeOptions options_of(const Setting& setting, const Tensor& smooth) {
  QuantizeOptions options;
  options.round = setting.round;
  options.static_scale = setting.static_scale;
  options.static_offset = setting.static_offset;
  if (setting.smooth) options.smooth_scale = &smooth;
  return options;
}

void expect_same_bytes(const Tensor& got, const Tensor& expected, int64_t rows,
                       const std::string& what) {
  if (!expected.defined() || expected.bytes() == 0) return;
  ASSERT_EQ(got.bytes(), expected.bytes()) << what;
  const auto* a = static_cast<const uint8_t*>(got.data());
  const auto* b = static_cast<const uint8_t*>(expected.data());
  const size_t row_bytes = got.bytes() / static_cast<size_t>(rows);
  for (size_t i = 0; i < got.bytes(); ++i)
    ASSERT_EQ(a[i], b[i]) << what << ": row " << i / row_bytes << " byte " << i % row_bytes;
}

// A tensor between guards, at an address without more alignment than its elements need.
class Guarded {
 public:
  Guarded(DType type, const Shape& shape)
      : bytes_(static_cast<size_t>(shape.elements()) * element_size(type)),
        block_(bytes_ + 2 * kGuard, 0xa5) {
    const size_t offset = kGuard - (element_size(type) == 1 ? 1 : 4);
    begin_ = offset;
    tensor = Tensor(type, shape, std::make_shared<Storage>(block_.data(), block_.size(), nullptr),
                    offset);
  }
  bool intact() const {
    for (size_t i = 0; i < block_.size(); ++i)
      if ((i < begin_ || i >= begin_ + bytes_) && block_[i] != 0xa5) return false;
    return true;
  }

  Tensor tensor;

 private:
  static constexpr size_t kGuard = 64;
  size_t bytes_, begin_ = 0;
  std::vector<uint8_t> block_;
};

// The reference is slow, and the same for every table.
const QuantizedMatrix& expectation(const std::string& key, const Tensor& x, const Setting& setting,
                                   const QuantizeOptions& options) {
  static std::map<std::string, QuantizedMatrix> known;
  auto found = known.find(key);
  if (found == known.end())
    found = known.emplace(key, reference::quantize(x, *setting.format, options)).first;
  return found->second;
}

class QuantizedTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    for (const int threads : {1, 3})
      backends_.push_back(make_target(GetParam(), threads));
  }

  void expect_reference(const Setting& setting, const Tensor& x, const std::string& data) {
    const int64_t rows = x.dim(0), columns = x.dim(1);
    const std::string what = detail::concat(setting.name(), " ", data, " ", x.shape());
    const Tensor smooth = smooth_scale(setting.type, columns);
    const QuantizeOptions options = options_of(setting, smooth);
    const QuantizedMatrix& expected = expectation(what, x, setting, options);
    for (const auto& backend : backends_) {
      const QuantFormat& format = *setting.format;
      Guarded elements(format.element->storage, format.elements_shape(rows, columns));
      Guarded block_scale(format.block_scale_type, format.block_scale_shape(rows, columns));
      Guarded scale(DType::f32, format.scale_shape(rows, columns));
      QuantizedMatrix got{&format, rows, columns, elements.tensor, {}, {}};
      if (format.block != 0) got.block_scale = block_scale.tensor;
      if (format.has_scale()) got.scale = scale.tensor;
      backend->quantize(x, options, got);
      ASSERT_TRUE(elements.intact() && block_scale.intact() && scale.intact()) << what;
      expect_same_bytes(got.elements, expected.elements, rows, what + " elements");
      expect_same_bytes(got.block_scale, expected.block_scale, rows, what + " block scales");
      expect_same_bytes(got.scale, expected.scale, rows, what + " scales");
    }
  }

  std::vector<std::unique_ptr<Backend>> backends_;
};

TEST_P(QuantizedTest, EncodesAnyBitPatternAsTheReference) {
  for (const Setting& setting : settings()) {
    expect_reference(setting, random_bit_rows(setting.type, 210, 98, 11), "random bits");
    expect_reference(setting, random_bit_rows(setting.type, 3, 1540, 12), "random bits");
    if (!setting.smooth) expect_reference(setting, every_pattern(setting.type), "every pattern");
    if (HasFatalFailure()) return;
  }
}

TEST_P(QuantizedTest, EncodesEveryShapeAsTheReference) {
  for (const Setting& setting : settings())
    for (const int64_t columns :
         {1, 2, 3, 17, 30, 31, 32, 33, 34, 62, 64, 66, 96, 510, 511, 512, 513, 514, 1026, 1538}) {
      if (columns % 2 != 0 && setting.format->element->bits == 4) continue;
      expect_reference(setting, family_rows(setting.type, 2 * kFamilies + 1, columns, 13),
                       "families");
      if (HasFatalFailure()) return;
    }
}

// The examples of the operators' public documentation.
TEST_P(QuantizedTest, GivesThePublicVectors) {
  const auto constant = [](const Shape& shape, float value) {
    Tensor x = Tensor::host(DType::bf16, shape);
    for (int64_t i = 0; i < x.elements(); ++i) x.as_mutable<bf16>()[i] = to_bf16(value);
    return x;
  };
  Backend& backend = *backends_[1];
  QuantizedMatrix eights = empty_matrix(backend, kMxfp4Dual, 1, 512);
  backend.quantize(constant({1, 512}, 8.0f), {}, eights);
  for (int64_t i = 0; i < 256; ++i) ASSERT_EQ(eights.elements.as<uint8_t>()[i], 0x77);
  for (int64_t i = 0; i < 16; ++i) ASSERT_EQ(eights.block_scale.as<uint8_t>()[i], 127);
  EXPECT_FLOAT_EQ(*eights.scale.as<float>(), 4.0f / 3.0f);

  // All operands and all scales 1: the products alone are K.
  QuantizedMatrix x = empty_matrix(backend, kMxfp4Dual, 256, 1024),
                  w = empty_matrix(backend, kMxfp4Dual, 512, 1024);
  for (QuantizedMatrix* ones : {&x, &w}) {
    std::memset(ones->elements.mutable_data(), 0x22, ones->elements.bytes());
    std::memset(ones->block_scale.mutable_data(), 127, ones->block_scale.bytes());
    std::fill_n(ones->scale.as_mutable<float>(), ones->scale.elements(), 1.0f);
  }
  Tensor bias = Tensor::host(DType::f32, {512}), out = Tensor::host(DType::f32, {256, 512});
  std::fill_n(bias.as_mutable<float>(), 512, 1002.0f);
  backend.quantized_linear(x, *backend.prepare_quantized(w), &bias, Activation::none, out);
  for (int64_t i = 0; i < out.elements(); ++i) ASSERT_EQ(out.as<float>()[i], 2026.0f);
}

// ---- decoding ----

// Random elements and scales, as a checkpoint may have them: special codes and values too.
QuantizedMatrix random_matrix(const QuantFormat& format, int64_t rows, int64_t columns) {
  const auto host = make_backend("cpu", {.threads = 1, .isa = "scalar"});
  QuantizedMatrix matrix = empty_matrix(*host, format, rows, columns);
  std::mt19937 random(21);
  for (Tensor* part : {&matrix.elements, &matrix.block_scale}) {
    if (!part->defined()) continue;
    auto* bytes = static_cast<uint8_t*>(part->mutable_data());
    for (size_t i = 0; i < part->bytes(); ++i) bytes[i] = static_cast<uint8_t>(random());
  }
  for (int64_t i = 0; matrix.scale.defined() && i < matrix.scale.elements(); ++i) {
    const uint32_t bits = static_cast<uint32_t>(random());
    std::memcpy(matrix.scale.as_mutable<float>() + i, &bits, sizeof bits);
  }
  return matrix;
}

TEST_P(QuantizedTest, DecodesEveryCodeAndScale) {
  for (const QuantFormat* format : quant_formats())
    for (const int64_t columns : {2, 7, 30, 34, 66, 510, 1026}) {
      if (columns % 2 != 0 && format->element->bits == 4) continue;
      for (const bool scaled : {true, false}) {
        QuantizedMatrix matrix = random_matrix(*format, 70, columns);
        if (!scaled) matrix.scale = Tensor();
        const Tensor exact = reference::dequantize(matrix);
        for (const auto& backend : backends_) {
          Tensor out = backend->empty(DType::f32, {70, columns});
          backend->dequantize(matrix, out);
          for (int64_t i = 0; i < out.elements(); ++i) {
            const float expected = static_cast<float>(exact.as<double>()[i]);
            const float got = out.as<float>()[i];
            if (std::isnan(expected))
              ASSERT_TRUE(std::isnan(got)) << format->name << " " << columns << " at " << i;
            else
              ASSERT_EQ(got, expected) << format->name << " " << columns << " at " << i;
          }
        }
      }
    }
}

// ---- products ----

QuantizedMatrix encoded(const Tensor& x, const QuantFormat& format) {
  QuantizeOptions options;
  if (format.rule == ScaleRule::nv_block) options.static_scale = 1.0f / 2688.0f;
  return reference::quantize(x, format, options);
}

// Inside a group the dual-level format's sums are exact, so its products have one right answer.
TEST_P(QuantizedTest, DualLevelProductsAreTheReferencesToTheBit) {
  for (const int64_t k : {2, 34, 512, 1026, 1538}) {
    const QuantizedMatrix x = encoded(random_tensor(DType::bf16, {33, k}, 1), kMxfp4Dual);
    const QuantizedMatrix w = encoded(random_tensor(DType::bf16, {35, k}, 2), kMxfp4Dual);
    const Tensor bias = random_tensor(DType::f32, {35}, 3);
    for (const DType type : {DType::f32, DType::bf16, DType::f16}) {
      const Tensor expected = reference::matmul(x, w, &bias, type);
      for (const auto& backend : backends_) {
        Tensor out = backend->empty(type, {33, 35});
        backend->quantized_linear(x, *backend->prepare_quantized(w), &bias, Activation::none, out);
        expect_same_bytes(out, expected, 33, detail::concat(name(type), " K ", k));
      }
    }
  }
}

TEST_P(QuantizedTest, ProductsDoNotDependOnTheNumberOfRows) {
  const int64_t n = 45, k = 1100;
  for (const QuantFormat* format : quant_formats()) {
    const QuantizedMatrix w = encoded(random_tensor(DType::bf16, {n, k}, 2), *format);
    const Tensor input = random_tensor(DType::bf16, {100, k}, 1);
    Tensor all = Tensor::host(DType::f32, {100, n});
    Backend& backend = *backends_[1];
    const auto weight = backend.prepare_quantized(w);
    backend.quantized_linear(encoded(input, *format), *weight, nullptr, Activation::silu, all);
    for (const int64_t m : {1, 2, 7, 13, 99}) {
      Tensor some = Tensor::host(DType::f32, {m, n});
      backend.quantized_linear(encoded(input.slice(0, m), *format), *weight, nullptr,
                               Activation::silu, some);
      EXPECT_EQ(std::memcmp(some.data(), all.data(), some.bytes()), 0) << format->name << " " << m;
    }
  }
}

// NaN and Inf of an input reach their own row only, and reach all of it.
TEST_P(QuantizedTest, SpecialInputsStayInTheirRows) {
  const int64_t n = 20, k = 96;
  for (const QuantFormat* format : {&kMxfp4Dual, &kMxfp8, &kFp8Row}) {
    Tensor input = random_tensor(DType::bf16, {9, k}, 1);
    input.as_mutable<uint16_t>()[3 * k + 40] = 0x7fc0;
    const QuantizedMatrix x = encoded(input, *format);
    const QuantizedMatrix w = encoded(random_tensor(DType::bf16, {n, k}, 2), *format);
    for (const auto& backend : backends_) {
      Tensor out = backend->empty(DType::f32, {9, n});
      backend->quantized_linear(x, *backend->prepare_quantized(w), nullptr, Activation::none, out);
      for (int64_t i = 0; i < out.elements(); ++i)
        ASSERT_EQ(std::isnan(out.as<float>()[i]), i / n == 3) << format->name << " at " << i;
    }
  }
}

TEST_P(QuantizedTest, KernelsAreNamed) {
  if (GetParam() == kExact) return;  // it has no kernels to choose from
  const std::string table = GetParam(), fp32 = "fp32 " + table + ", widened while packing";
  const bool folds = table == "amx" || table == "avx512_vnni", widens = table == "amx";
  const KernelChoice plain = backends_[0]->linear_kernel(DType::bf16, 64, 64);
  const KernelChoice dual = backends_[0]->quantized_kernel(kMxfp4Dual, kMxfp4Dual, 64, 64);
  const KernelChoice mxfp8 = backends_[0]->quantized_kernel(kMxfp8, kMxfp8, 64, 64);
  EXPECT_EQ(plain.kernel, widens ? "bf16 amx (fp32 for activations in fp32)" : fp32);
  EXPECT_EQ(dual.kernel, folds ? "int8 " + table + ", folded while packing" : fp32);
  EXPECT_EQ(mxfp8.kernel, widens ? "bf16 amx, widened while packing" : fp32);
  size_t better = 0;
  for (const cpu::KernelTable& built : cpu::built_tables()) {
    if (built.name == table) break;
    ++better;
  }
  EXPECT_EQ(plain.passed_over.size(), better);
  EXPECT_EQ(dual.passed_over.size(), better);
}

INSTANTIATE_TEST_SUITE_P(Tables, QuantizedTest, ::testing::ValuesIn(targets()),
                         [](const auto& table) { return table.param; });

}  // namespace
}  // namespace mxdit::conformance
