// Operators of the networks against the device exact, in bf16.
#include <cmath>

#include "backend/registry.h"
#include "doctor/check.h"
#include "doctor/values.h"
#include "ops/ops.h"

namespace mxdit::doctor {
namespace {

// A result on the back end that it is given.
using Compute = std::function<Tensor(Backend&)>;

// Two devices that compute in fp32 and round once differ by one place of the result, and a little
// where large terms cancel.
Bounded near(const Tensor& exact) {
  Bounded expected{values_of(exact), {}};
  double largest = 0.0;
  for (const double value : expected.value) largest = std::max(largest, std::abs(value));
  for (const double value : expected.value)
    expected.bound.push_back(std::abs(value) * 0x1p-6 + largest * 0x1p-9);
  return expected;
}

std::string compare(Backend& backend, const Compute& compute) {
  const auto exact = make_backend("exact", {});
  const Tensor expected = exact->to_host(compute(*exact));
  const Tensor got = backend.to_host(compute(backend));
  if (got.bytes() == expected.bytes() &&
      std::equal(static_cast<const char*>(got.data()),
                 static_cast<const char*>(got.data()) + got.bytes(),
                 static_cast<const char*>(expected.data())))
    return "equal to the bit";
  return expect_close("result", got, near(expected));
}

Tensor activation(Backend& backend, const Shape& shape, uint32_t seed, float scale = 2.0f) {
  return backend.from_host(random_values(DType::bf16, shape, seed, scale));
}
Tensor parameter(Backend& backend, const Shape& shape, uint32_t seed) {
  return backend.from_host(random_values(DType::f32, shape, seed));
}

Tensor permuted(Backend& b) {
  const int axes[] = {0, 2, 1, 3};
  return ops::permute(b, activation(b, {2, 5, 7, 32}, 1), axes);
}
Tensor normed(Backend& b) {
  const Tensor gain = parameter(b, {192}, 2), bias = parameter(b, {192}, 3);
  return ops::layer_norm(b, activation(b, {19, 192}, 1), &gain, &bias, 1e-6f);
}
Tensor modulated(Backend& b) {
  return ops::norm_modulate(b, activation(b, {1, 19, 192}, 1), parameter(b, {1, 1, 192}, 2),
                            parameter(b, {1, 1, 192}, 3), 1e-6f);
}
Tensor rms_normed(Backend& b) {
  return ops::rms_norm(b, activation(b, {19, 192}, 1), parameter(b, {192}, 2), 1e-6f);
}
Tensor channel_normed(Backend& b) {
  return ops::channel_norm(b, activation(b, {2, 6, 5, 48}, 1), parameter(b, {48}, 2),
                           Activation::silu, 0);
}
Tensor gated(Backend& b) {
  return ops::gate_add(b, activation(b, {1, 19, 192}, 1), activation(b, {1, 19, 192}, 2),
                       parameter(b, {1, 1, 192}, 3));
}
Tensor rotated(Backend& b) {
  return ops::rope(b, activation(b, {1, 19, 3, 64}, 1), parameter(b, {19, 32}, 2),
                   parameter(b, {19, 32}, 3));
}
Tensor attended(Backend& b) {
  AttentionParams params;
  params.scale = 0.125f;
  return ops::attention(b, activation(b, {1, 75, 3, 64}, 1), activation(b, {1, 90, 3, 64}, 2),
                        activation(b, {1, 90, 3, 64}, 3), params);
}
Tensor attended_with_bias(Backend& b) {
  const Tensor bias = parameter(b, {3, 21, 21}, 4);
  const int64_t lengths[] = {17};
  AttentionParams params;
  params.bias = &bias;
  params.kv_length = lengths;
  return ops::attention(b, activation(b, {1, 21, 3, 32}, 1), activation(b, {1, 21, 3, 32}, 2),
                        activation(b, {1, 21, 3, 32}, 3), params);
}
Tensor convolved(Backend& b) {
  const auto weight = b.prepare_conv3d(activation(b, {24, 16, 3, 3, 3}, 2, 0.1f), DType::bf16);
  const Tensor clips[] = {activation(b, {3, 10, 9, 16}, 1)};
  const Tensor bias = parameter(b, {24}, 3);
  Conv3dParams params;
  params.pad_top = params.pad_bottom = params.pad_left = params.pad_right = 1;
  params.zero_frames = 2;
  return ops::conv3d(b, clips, *weight, {3, 3, 3}, &bias, params);
}
Tensor enlarged(Backend& b) {
  return ops::upsample2x(b, activation(b, {2, 5, 6, 16}, 1));
}
Tensor combined(Backend& b) {
  const Tensor x = parameter(b, {33, 17}, 1), y = activation(b, {33, 17}, 2);
  const float coefficients[] = {0.75f, -1.5f};
  const Tensor* const inputs[] = {&x, &y};
  return ops::linear_combination(b, coefficients, inputs, DType::f32);
}
Tensor gathered(Backend& b) {
  Tensor ids = Tensor::host(DType::i32, {4});
  for (int i = 0; i < 4; ++i) ids.as_mutable<int32_t>()[i] = (i * 7) % 10;
  return ops::gather_rows(b, activation(b, {10, 48}, 1), b.from_host(ids), DType::bf16);
}

Compute activated(Activation function) {
  return [function](Backend& b) {
    return ops::activate(b, function, activation(b, {19, 192}, 1, 4.0f));
  };
}

}  // namespace

std::vector<Check> operator_checks() {
  const std::pair<const char*, Compute> operators[] = {
      {"strided copy", permuted},
      {"layer norm", normed},
      {"layer norm with modulation", modulated},
      {"rms norm", rms_normed},
      {"channel norm", channel_normed},
      {"gated sum", gated},
      {"silu", activated(Activation::silu)},
      {"gelu (tanh)", activated(Activation::gelu_tanh)},
      {"gelu (erf)", activated(Activation::gelu_erf)},
      {"rotary positions", rotated},
      {"attention", attended},
      {"attention with bias and masked keys", attended_with_bias},
      {"convolution over time", convolved},
      {"upsampling", enlarged},
      {"linear combination", combined},
      {"rows of a table", gathered}};
  std::vector<Check> checks;
  for (const auto& [name, compute] : operators)
    checks.push_back(
        {"operators", name, [compute](Backend& backend) { return compare(backend, compute); }});
  return checks;
}

}  // namespace mxdit::doctor
