// The microscaling numerics against goldens of a second implementation (numpy, written from the
// rules alone; tests/goldens/README.md): the scalar reference, and every kernel table of the CPU back
// end that this machine runs.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "backend/registry.h"
#include "conformance/tables.h"
#include "formats/reference.h"
#include "io/json_file.h"
#include "io/safetensors.h"
#include "ops/ops.h"

namespace mxdit {
namespace {

struct GoldenFile {
  explicit GoldenFile(const std::string& name)
      : file(SafetensorsFile::open(MXDIT_SOURCE_DIR "/tests/goldens/quantization/" + name +
                                   ".safetensors")),
        cases(parse_json(file.header().metadata.at("cases"), name)) {}
  Tensor get(const std::string& name) const { return file.get(name); }
  bool has(const std::string& name) const { return file.header().tensors.contains(name); }

  SafetensorsFile file;
  Json cases;
};

// The scalar reference, or a kernel table.
class Quantizer {
 public:
  explicit Quantizer(const std::string& table) {
    if (table != "reference") backend_ = make_backend("cpu", {.threads = 2, .isa = table});
  }
  QuantizedMatrix quantize(const Tensor& x, const QuantFormat& format,
                           const QuantizeOptions& options) const {
    if (!backend_) return reference::quantize(x, format, options);
    return ops::quantize(*backend_, x, format, options);
  }
  Tensor matmul(const QuantizedMatrix& x, const QuantizedMatrix& w, const Tensor* bias,
                DType type) const {
    if (!backend_) return reference::matmul(x, w, bias, type);
    return ops::quantized_linear(*backend_, x, *backend_->prepare_quantized(w), bias,
                                 Activation::none, type);
  }
  std::vector<double> dequantize(const QuantizedMatrix& x) const {
    std::vector<double> values;
    if (!backend_) {
      const Tensor exact = reference::dequantize(x);
      values.assign(exact.as<double>(), exact.as<double>() + exact.elements());
    } else {
      const Tensor rounded = ops::dequantize(*backend_, x);
      values.assign(rounded.as<float>(), rounded.as<float>() + rounded.elements());
    }
    return values;
  }

 private:
  std::unique_ptr<Backend> backend_;
};

const QuantFormat& single_format(const std::string& element) {
  if (element == "e2m1") return kMxfp4;
  return element == "e4m3" ? kMxfp8 : kMxfp8E5m2;
}

RoundMode round_mode(const std::string& name) {
  if (name == "rint") return RoundMode::rint;
  return name == "round" ? RoundMode::round : RoundMode::floor;
}

DType dtype_of(const std::string& name) { return name == "bf16" ? DType::bf16 : DType::f16; }

// Equal but for the bits of `mask`, which the rules leave open.
void expect_bytes(const std::string& name, const Tensor& got, const Tensor& want,
                  const Tensor& mask = {}) {
  ASSERT_EQ(got.bytes(), want.bytes()) << name;
  const auto* a = static_cast<const uint8_t*>(got.data());
  const auto* b = static_cast<const uint8_t*>(want.data());
  for (size_t i = 0; i < got.bytes(); ++i) {
    const int open = mask.defined() ? static_cast<const uint8_t*>(mask.data())[i] : 0;
    ASSERT_EQ(a[i] & ~open, b[i] & ~open) << name << " byte " << i;
  }
}

class QuantizationGolden : public ::testing::TestWithParam<std::string> {
 protected:
  Tensor optional(const GoldenFile& file, const std::string& name) {
    return file.has(name) ? file.get(name) : Tensor();
  }
  Quantizer quantizer_{GetParam()};
};

TEST_P(QuantizationGolden, DualLevel) {
  const GoldenFile file("dual");
  for (const Json& c : file.cases) {
    const std::string name = c.at("name");
    for (const std::string mode : c.at("modes")) {
      QuantizeOptions options;
      options.round = round_mode(mode);
      const Tensor smooth = optional(file, name + "/smooth");
      if (smooth.defined()) options.smooth_scale = &smooth;
      const QuantizedMatrix q = quantizer_.quantize(file.get(name + "/x"), kMxfp4Dual, options);
      expect_bytes(name + "/l0", q.scale, file.get(name + "/l0"));
      expect_bytes(name + "/l1", q.block_scale, file.get(name + "/l1"));
      expect_bytes(name + "/" + mode, q.elements, file.get(name + "/" + mode + "/y"),
                   optional(file, name + "/mask"));
    }
  }
}

TEST_P(QuantizationGolden, SingleLevel) {
  const GoldenFile file("single");
  for (const Json& c : file.cases) {
    const std::string name = c.at("name");
    for (const std::string mode : c.at("modes")) {
      QuantizeOptions options;
      options.round = round_mode(mode);
      const QuantizedMatrix q = quantizer_.quantize(file.get(c.at("x")),
                                                    single_format(c.at("format")), options);
      expect_bytes(name + "/scale", q.block_scale, file.get(name + "/scale"));
      expect_bytes(name + "/" + mode, q.elements, file.get(name + "/" + mode + "/y"),
                   optional(file, name + "/mask"));
    }
  }
}

TEST_P(QuantizationGolden, Rows) {
  const GoldenFile file("rows");
  const std::pair<const char*, const QuantFormat*> formats[] = {
      {"fp8", &kFp8Row}, {"int8", &kInt8Row}, {"int4", &kInt4Row}};
  for (const Json& c : file.cases) {
    const std::string name = c.at("name");
    const Tensor x = file.get(name + "/x");
    for (const auto& [what, format] : formats) {
      const QuantizedMatrix q = quantizer_.quantize(x, *format, {});
      expect_bytes(name + what + " scale", q.scale, file.get(name + "/" + what + "/scale"));
      expect_bytes(name + what, q.elements, file.get(name + "/" + what + "/q"));
    }
    QuantizeOptions options;
    options.static_scale = file.get(name + "/static/input_scale").as<float>()[0];
    options.static_offset = file.get(name + "/static/input_offset").as<float>()[0];
    const QuantizedMatrix q = quantizer_.quantize(x, kInt8Row, options);
    expect_bytes(name + " static", q.elements, file.get(name + "/static/q"));
  }
}

TEST_P(QuantizationGolden, NvBlocks) {
  const GoldenFile file("nvfp4");
  for (const Json& c : file.cases) {
    const std::string name = c.at("name");
    QuantizeOptions options;
    options.static_scale = file.get(name + "/s2").as<float>()[0];
    const QuantizedMatrix q = quantizer_.quantize(file.get(name + "/x"), kNvfp4, options);
    expect_bytes(name + "/block_scale", q.block_scale, file.get(name + "/block_scale"));
    expect_bytes(name + "/y", q.elements, file.get(name + "/y"));
    const Tensor want = file.get(name + "/dequantized");
    const std::vector<double> got = quantizer_.dequantize(q);
    for (int64_t i = 0; i < want.elements(); ++i)
      ASSERT_EQ(static_cast<float>(got[static_cast<size_t>(i)]), want.as<float>()[i]) << name;
  }
}

// The goldens hold w's group scales as the operator takes them, [groups, N].
Tensor turned(const Tensor& x) {
  Tensor out = Tensor::host(DType::f32, {x.dim(1), x.dim(0)});
  for (int64_t r = 0; r < x.dim(0); ++r)
    for (int64_t c = 0; c < x.dim(1); ++c)
      out.as_mutable<float>()[c * x.dim(0) + r] = x.as<float>()[r * x.dim(1) + c];
  return out;
}

QuantizedMatrix operand(const GoldenFile& file, const std::string& name, const char* which,
                        const Json& c, int64_t rows) {
  const QuantFormat& format =
      c.at("dual") ? kMxfp4Dual : single_format(c.at(std::string(which) + "_format"));
  QuantizedMatrix matrix{&format, rows, c.at("K"), {}, {}, {}};
  const std::string prefix = name + "/" + which;
  matrix.elements = file.get(prefix).view_as(format.element->storage);
  matrix.block_scale = file.get(prefix + "_scale");
  if (format.has_scale())
    matrix.scale = which[0] == 'w' ? turned(file.get(prefix + "_l0")) : file.get(prefix + "_l0");
  return matrix;
}

double value_of(const Tensor& tensor, int64_t i) {
  if (tensor.dtype() == DType::f32) return tensor.as<float>()[i];
  const uint16_t bits = tensor.as<uint16_t>()[i];
  return tensor.dtype() == DType::bf16 ? to_float(bf16{bits}) : to_float(f16{bits});
}

// One unit in the last place of `value` in the output's type.
double last_place(DType type, double value) {
  if (type == DType::f32) return 0.0;
  const int digits = type == DType::bf16 ? 7 : 10;
  const int least = type == DType::bf16 ? -126 : -14;
  const int exponent = value == 0.0 ? least : std::max(std::ilogb(value), least);
  return std::ldexp(1.0, exponent - digits);
}

// With t = exact absolute sum: fp32 adds at most one rounding per group and one per product of
// scales, (2 * groups + 1) * 2^-24 * t <= 2e-6 * t for the up to five groups here; sums inside of a
// group are exact where `never_rounds`, and below 512 * 2^-24 * t / groups elsewhere only for data
// whose exponents spread over more than 24 bits.
void expect_product(const std::string& name, const Tensor& got, const Tensor& exact,
                    const Tensor& absolute, const Tensor& same, bool never_rounds) {
  for (int64_t i = 0; i < got.elements(); ++i) {
    const double want = exact.as<double>()[i], value = value_of(got, i);
    if (std::isnan(want) || never_rounds) {
      const double stored = value_of(same, i);
      ASSERT_TRUE(value == stored || (std::isnan(value) && std::isnan(stored)))
          << name << " " << i << ": expected " << stored << ", got " << value;
      continue;
    }
    if (std::isinf(value_of(same, i))) {
      ASSERT_EQ(value, value_of(same, i)) << name << " " << i;
      continue;
    }
    const double bound = 2e-6 * absolute.as<double>()[i] + last_place(got.dtype(), want);
    ASSERT_LE(std::fabs(value - want), bound)
        << name << " " << i << ": expected " << want << ", got " << value;
  }
}

TEST_P(QuantizationGolden, Products) {
  const GoldenFile file("matmul");
  for (const Json& c : file.cases) {
    const std::string name = c.at("name");
    const QuantizedMatrix x = operand(file, name, "x", c, c.at("M"));
    const QuantizedMatrix w = operand(file, name, "w", c, c.at("N"));
    const Tensor bias = optional(file, name + "/bias");
    for (const auto& [type, stored] :
         {std::pair{DType::f32, "f32"}, {DType::bf16, "bf16"}, {DType::f16, "fp16"}}) {
      const Tensor out = quantizer_.matmul(x, w, bias.defined() ? &bias : nullptr, type);
      expect_product(name + " " + stored, out, file.get(name + "/exact"),
                     file.get(name + "/absolute"), file.get(name + "/" + stored),
                     c.at("never_rounds"));
    }
  }
}

std::vector<std::string> implementations() {
  std::vector<std::string> names = conformance::runnable_tables();
  names.insert(names.begin(), "reference");
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, QuantizationGolden, ::testing::ValuesIn(implementations()),
                         [](const auto& test) { return test.param; });

// Every 16-bit pattern through every element's code.
TEST(ElementGolden, EveryPattern) {
  const GoldenFile file("casts");
  const std::pair<const char*, uint8_t (*)(float, RoundMode)> codes[] = {
      {"e2m1", [](float x, RoundMode mode) { return to_e2m1(x, mode); }},
      {"e4m3", [](float x, RoundMode) { return to_e4m3(x); }},
      {"e5m2", [](float x, RoundMode) { return to_e5m2(x); }}};
  for (const Json& c : file.cases) {
    const std::string name = c.at("name"), element = c.at("format");
    const auto code = std::find_if(std::begin(codes), std::end(codes),
                                   [&](const auto& entry) { return entry.first == element; });
    const bool packed = element == "e2m1", is_bf16 = dtype_of(c.at("dtype")) == DType::bf16;
    const Tensor want = file.get(name + "/y");
    const auto* stored = static_cast<const uint8_t*>(want.data());
    for (uint32_t bits = 0; bits < 65536; ++bits) {
      const auto half = static_cast<uint16_t>(bits);
      const float x = is_bf16 ? to_float(bf16{half}) : to_float(f16{half});
      const int expected =
          packed ? (stored[bits / 2] >> (bits % 2 * 4)) & 0xf : stored[bits];
      ASSERT_EQ(code->second(x, round_mode(c.at("mode"))), expected) << name << " " << bits;
    }
  }
}

TEST(ElementGolden, EveryCode) {
  const GoldenFile file("casts");
  const std::pair<const char*, std::function<float(uint8_t)>> codes[] = {
      {"e2m1", e2m1_to_float},
      {"e4m3", e4m3_to_float},
      {"e5m2", e5m2_to_float},
      {"e8m0", e8m0_to_float}};
  for (const auto& [name, decode] : codes) {
    const Tensor want = file.get(std::string("values/") + name);
    for (int64_t i = 0; i < want.elements(); ++i) {
      const float got = decode(static_cast<uint8_t>(i)), value = want.as<float>()[i];
      EXPECT_TRUE(std::isnan(value) ? std::isnan(got)
                                    : std::bit_cast<uint32_t>(got) == std::bit_cast<uint32_t>(value))
          << name << " " << i << ": expected " << value << ", got " << got;
    }
  }
}

}  // namespace
}  // namespace mxdit
