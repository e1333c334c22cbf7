// Operators of the Ascend back end, to the bit: rows, elements and moves.
#include <array>

#include "ascend/ascend_testing.h"
#include "ops/residual.h"

namespace mxdit::ascend {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16};

std::string label(const char* op, DType type, const Shape& shape) {
  return mxdit::detail::concat(op, " ", name(type), " ", shape);
}

class Operators : public AscendTest {};

TEST_F(Operators, Cast) {
  const Shape shape = {3, 37};
  for (const DType from : {DType::f32, DType::bf16, DType::f16, DType::f8_e4m3, DType::f8_e5m2})
    for (const DType to : {DType::f32, DType::bf16, DType::f16}) {
      if (to == DType::f16 && from != DType::f32 && from != DType::bf16) continue;
      const Tensor x = random_tensor(from, shape, 1, 100.0f);
      expect_exact(label("cast", from, shape) + " to " + std::string(name(to)),
                   [&](Backend& b) { return ops::cast(b, b.from_host(x), to); });
    }
}

TEST_F(Operators, Moves) {
  for (const DType type : {DType::f32, DType::bf16, DType::u8}) {
    const Tensor x = random_tensor(type, {5, 7, 3, 9}, 2);
    const auto device = [&](Backend& b) { return b.from_host(x); };
    for (const std::array<int, 4>& axes :
         {std::array{0, 1, 2, 3}, std::array{3, 1, 0, 2}, std::array{0, 2, 1, 3}})
      expect_exact(label("permute", type, x.shape()),
                   [&](Backend& b) { return ops::permute(b, device(b), axes); });
    for (const int axis : {0, 1, 3})
      expect_exact(label("narrow", type, x.shape()),
                   [&](Backend& b) { return ops::narrow(b, device(b), axis, 1, 4); });
    expect_exact(label("concat", type, x.shape()), [&](Backend& b) {
      const std::array<Tensor, 2> parts = {device(b), ops::narrow(b, device(b), 1, 2, 5)};
      return ops::concat(b, parts, 1);
    });
  }
}

TEST_F(Operators, Patches) {  // eight axes
  const Tensor x = random_tensor(DType::bf16, {2, 5, 3, 1, 4, 2, 3, 2}, 3);
  constexpr std::array<int, 8> kFirst = {0, 2, 4, 6, 1, 3, 5, 7}, kLast = {0, 7, 1, 4, 2, 5, 3, 6};
  for (const auto& axes : {kFirst, kLast})
    expect_exact("permutation of eight axes",
                 [&](Backend& b) { return ops::permute(b, b.from_host(x), axes); });
}

TEST_F(Operators, GatherRows) {
  Tensor ids = Tensor::host(DType::i32, {6});
  for (const int32_t i : {0, 1, 2, 3, 4, 5}) ids.as_mutable<int32_t>()[i] = i < 3 ? 2 + i : 5 - i;
  for (const DType table : {DType::bf16, DType::f32}) {
    const Tensor rows = random_tensor(table, {5, 13}, 4);
    expect_exact(label("gather_rows", table, rows.shape()), [&](Backend& b) {
      return ops::gather_rows(b, b.from_host(rows), b.from_host(ids), DType::f32);
    });
  }
  ids.as_mutable<int32_t>()[4] = 5;
  const Tensor rows = ascend_->from_host(random_tensor(DType::f32, {5, 13}, 4));
  EXPECT_THROW(ops::gather_rows(*ascend_, rows, ids, DType::f32), Error);
}

TEST_F(Operators, Norms) {
  for (const DType type : kTypes)
    for (const int64_t columns : {1, 7, 96, 1537}) {
      const Tensor x = random_tensor(type, {2, 5, columns}, 5, 4.0f);
      const Tensor gain = random_tensor(DType::f32, {columns}, 6);
      const Tensor bias = random_tensor(DType::f32, {columns}, 7);
      expect_exact(label("layer_norm", type, x.shape()), [&](Backend& b) {
        const Tensor g = b.from_host(gain), s = b.from_host(bias);
        return ops::layer_norm(b, b.from_host(x), &g, &s, 1e-6f);
      });
      expect_exact(label("layer_norm, plain", type, x.shape()), [&](Backend& b) {
        return ops::layer_norm(b, b.from_host(x), nullptr, nullptr, 1e-6f);
      });
      expect_exact(label("rms_norm", type, x.shape()), [&](Backend& b) {
        return ops::rms_norm(b, b.from_host(x), b.from_host(gain), 1e-6f);
      });
    }
}

TEST_F(Operators, ModulationOfBatchRows) {
  for (const DType type : kTypes)
    for (const int64_t batch : {1, 3}) {
      const Tensor x = random_tensor(type, {batch, 5, 33}, 8, 4.0f);
      const Tensor y = random_tensor(type, x.shape(), 9);
      const Tensor shift = random_tensor(DType::f32, {batch, 1, 33}, 10);
      const Tensor scale = random_tensor(DType::f32, {batch, 1, 33}, 11);
      expect_exact(label("norm_modulate", type, x.shape()), [&](Backend& b) {
        return ops::norm_modulate(b, b.from_host(x), b.from_host(shift), b.from_host(scale), 1e-6f);
      });
      expect_exact(label("gate_add", type, x.shape()), [&](Backend& b) {
        return ops::gate_add(b, b.from_host(x), b.from_host(y), b.from_host(scale));
      });
    }
}

TEST_F(Operators, ModulationOfTokens) {
  for (const DType type : kTypes) {
    const Tensor x = random_tensor(type, {2, 5, 33}, 8, 4.0f);
    const Tensor y = random_tensor(type, x.shape(), 9);
    const Tensor gate = random_tensor(DType::f32, x.shape(), 10);
    const Tensor shift = random_tensor(DType::f32, x.shape(), 11);
    expect_exact(label("norm_modulate per token", type, x.shape()), [&](Backend& b) {
      return ops::norm_modulate(b, b.from_host(x), b.from_host(shift), b.from_host(gate), 1e-6f);
    });
    expect_exact(label("gate_add per token", type, x.shape()), [&](Backend& b) {
      return ops::gate_add(b, b.from_host(x), b.from_host(y), b.from_host(gate));
    });
  }
}

TEST_F(Operators, Sums) {
  const Shape shape = {2, 3, 35};
  for (const DType type : kTypes)
    for (const DType other : {type, DType::f32})
      for (const Shape& small : {shape, Shape{3, 35}, Shape{35}}) {
        const Tensor x = random_tensor(type, shape, 12), y = random_tensor(other, small, 13);
        expect_exact(label("add", type, shape) + " + " + to_string(small), [&](Backend& b) {
          return ops::add(b, b.from_host(x), b.from_host(y));
        });
      }
}

TEST_F(Operators, LinearCombinations) {
  const Shape shape = {3, 35};
  const Tensor x = random_tensor(DType::f32, shape, 14), y = random_tensor(DType::bf16, shape, 15);
  const Tensor z = random_tensor(DType::f32, shape, 16);
  const float coefficients[] = {0.7f, -1.3f, 3.1f};
  for (const DType type : kTypes)
    for (const size_t count : {1u, 2u, 3u})
      expect_exact(label("linear_combination", type, shape), [&](Backend& b) {
        const Tensor on_device[] = {b.from_host(x), b.from_host(y), b.from_host(z)};
        const Tensor* inputs[] = {&on_device[0], &on_device[1], &on_device[2]};
        return ops::linear_combination(b, {coefficients, count}, {inputs, count}, type);
      });
}

TEST_F(Operators, Activations) {
  const Shape shape = {7, 31};
  for (const DType type : kTypes)
    for (const Activation act : {Activation::silu, Activation::gelu_tanh, Activation::gelu_erf}) {
      const Tensor x = random_tensor(type, shape, 17, 6.0f), y = random_tensor(type, shape, 18);
      expect_exact(label("activate", type, shape),
                   [&](Backend& b) { return ops::activate(b, act, b.from_host(x)); });
      expect_exact(label("activate_gated", type, shape), [&](Backend& b) {
        return ops::activate_gated(b, act, b.from_host(x), b.from_host(y));
      });
    }
}

TEST_F(Operators, RotaryPositions) {
  for (const DType type : kTypes) {
    const Tensor x = random_tensor(type, {2, 5, 3, 14}, 19);
    // New angles at perhaps the same place: nothing of the ones before may be left.
    for (const uint32_t seed : {20u, 30u, 40u}) {
      const Tensor cos = random_tensor(DType::f32, {5, 7}, seed);
      const Tensor sin = random_tensor(DType::f32, {5, 7}, seed + 1);
      expect_exact(label("rope", type, x.shape()), [&](Backend& b) {
        return ops::rope(b, b.from_host(x), b.from_host(cos), b.from_host(sin));
      });
    }
  }
}

// Operators that consist of several: those of this device in turn.
TEST_F(Operators, SeveralInTurn) {
  const Shape shape = {2, 5, 64};
  const Tensor x = random_tensor(DType::bf16, shape, 1, 4.0f);
  const Tensor y = random_tensor(DType::bf16, shape, 2);
  const Tensor gain = random_tensor(DType::f32, {64}, 3);
  const Tensor angles = random_tensor(DType::f32, {5, 16}, 4);
  const Tensor rows = random_tensor(DType::f32, {2, 1, 64}, 5);
  expect_exact("rms_norm_rope", [&](Backend& b) {
    const Tensor a = b.from_host(angles);
    return ops::rms_norm_rope(b, b.from_host(x), b.from_host(gain), 1e-6f, a, a);
  });
  const auto stream = [&](Backend& b, const Tensor& gate) {
    Residual sum(b, b.from_host(x));
    sum.add(b.from_host(y), gate);
    return sum;
  };
  expect_exact("norm of a sum", [&](Backend& b) {
    const Tensor g = b.from_host(gain);
    return stream(b, {}).normed({.gain = g, .bias = g, .eps = 1e-6f});
  });
  expect_exact("norm of a gated sum, encoded", [&](Backend& b) {
    const Tensor r = b.from_host(rows);
    Residual sum = stream(b, r);
    return ops::dequantize(
        b, sum.quantized(LayerNormParams::modulation(r, r, 1e-6f), kMxfp4Dual, {}));
  });
}

TEST_F(Operators, Upsampling) {
  const Tensor x = random_tensor(DType::bf16, {2, 3, 5, 7}, 21);
  for (const int border : {0, 1})
    expect_exact("upsample2x",
                 [&](Backend& b) { return ops::upsample2x(b, b.from_host(x), border); });
}

// Rows that start between the boundaries that CANN asks of addresses.
TEST_F(Operators, SlicesAtOddPlaces) {
  const Tensor x = random_tensor(DType::bf16, {1, 9, 7}, 22);
  const Tensor gain = random_tensor(DType::f32, {7}, 23);
  expect_exact("slices", [&](Backend& b) {
    const Tensor rows = b.from_host(x).reshape({9, 7});
    const std::array<Tensor, 2> parts = {
        ops::rms_norm(b, rows.slice(1, 4), b.from_host(gain), 1e-6f),
        ops::activate_gated(b, Activation::silu, rows.slice(3, 5), rows.slice(5, 7))};
    return ops::concat(b, parts, 0);
  });
}

}  // namespace
}  // namespace mxdit::ascend
