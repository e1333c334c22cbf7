// What a device offers to mxdit: memory, and about twenty operators.
//
// ops/ is the only caller of the operators: it has checked shapes and dtypes, so an implementation
// need not. Unless an operator says otherwise:
// - activations are f32 or bf16, inputs and output of one call share the dtype, and arithmetic is
//   fp32 inside with one rounding at the output;
// - gains, biases, shifts, scales and gates are f32;
// - tensors are contiguous and belong to this back end; `out` overlaps no input, except that
//   elementwise operators (cast excepted) accept out == an input.
// - results do not depend on the number of threads.
// Operators may return before they are done; synchronize() waits. One thread at a time may use a
// back end object.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "formats/quantized_matrix.h"
#include "mxdit/device.h"

namespace mxdit {

// A weight in the layout one back end's kernels want. Only its maker looks inside.
class PreparedWeight {
 public:
  virtual ~PreparedWeight() = default;
  virtual int64_t out_features() const noexcept = 0;
  virtual int64_t in_features() const noexcept = 0;
  // Bytes this object holds beside the checkpoint's mapping.
  virtual size_t bytes() const noexcept = 0;
};

// What is known of a linear layer before its weight is prepared: a device may lay the weight out
// differently for a product that adds a bias in the same rounding.
struct LinearUse {
  bool bias = false;  // linear() will be given one
};

// The left operand [rows, columns] of products with plain weights.
struct PlainMatrix {
  int64_t rows = 0, columns = 0;
  Tensor x;  // undefined where there is only the packed form
  // As of QuantizedMatrix.
  mutable std::shared_ptr<PackedOperand> packed = nullptr;
};

// Which kernel a product takes, and why not a faster one: for `mxdit inspect`.
struct KernelChoice {
  std::string kernel;
  std::vector<std::string> passed_over;  // "amx: the machine lacks it"
  // Why there is none at all, and what to use instead; empty: there is one.
  std::string refusal = {};
};

enum class Activation { none, silu, gelu_tanh, gelu_erf };

// What the products of queries with keys are computed in, of bf16 inputs: see docs/numerics.md.
// int8 is taken where attention_kernel() says so, and only for a head whose queries and keys are all
// of ordinary size; else bf16.
enum class AttentionPrecision : uint8_t { bf16, int8 };

struct AttentionParams {
  float scale = 1.0f;                  // logits = scale * q.k + bias
  const Tensor* bias = nullptr;        // f32 [H, Sq, Sk], shared by the batch
  std::span<const int64_t> kv_length;  // per batch row: keys from here on are left out; empty: all
  AttentionPrecision precision = AttentionPrecision::bf16;
};

struct Conv3dParams {
  // Kernel extents come from the weight. Spatial zero padding before and after, in H and W; time is
  // never padded here: the caller hands the frames before (`history`) or asks for zeros.
  int stride_t = 1, stride_h = 1, stride_w = 1;
  int pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  int zero_frames = 0;  // frames of zeros in front of those given
};

// norm(x), norm(x + y) or norm(x + y * gate), as layer_norm or norm_modulate has the norm, and add
// or gate_add the sum. Sum and norm are each rounded to x's dtype.
struct NormedSum {
  const Tensor* x = nullptr;
  const Tensor* y = nullptr;     // null: no sum
  const Tensor* gate = nullptr;  // null: y as it is
  Tensor* sum = nullptr;         // gets the sum, where there is one; may be x or y
  // norm_modulate's scale and shift if it modulates, else layer_norm's gain and bias.
  const Tensor* gain = nullptr;
  const Tensor* bias = nullptr;
  bool modulates = false;
  float eps = 0.0f;
};

// What happens to the result y of a convolution, rounded to out's dtype before each step.
struct Conv3dTail {
  const Tensor* residual = nullptr;  // y + residual [To, Ho, Wo, Cout], unless null
  const Tensor* gain = nullptr;      // then channel_norm(y, *gain, act, border), unless null
  Activation act = Activation::none;
  int border = 0;
};

// A view for copy_strided: `offset` and `strides` count elements.
struct StridedView {
  int64_t offset = 0;
  std::array<int64_t, 8> strides{};
};

struct DeviceMemory {
  uint64_t free = 0, total = 0;  // bytes
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string name() const = 0;         // "cpu", "ascend:0"
  virtual std::string description() const = 0;  // one line: kernels chosen, threads
  // For `mxdit inspect --device`, but for the machine's memory.
  virtual DeviceReport report() const = 0;

  // Memory. empty() is uninitialised and cheap to call (a pool); Error{out_of_memory} when none is
  // left. from_host may share host memory where the device can read it (mapped files included).
  virtual Tensor empty(DType dtype, const Shape& shape) = 0;
  virtual Tensor from_host(const Tensor& host) = 0;
  virtual Tensor to_host(const Tensor& device) = 0;  // waits; never shares with a reused buffer
  virtual void synchronize() = 0;
  // Gives memory that no tensor holds back to the system. What is held now is expected to stay and
  // no longer counts as work for which memory is kept ready.
  virtual void release_idle() noexcept = 0;
  // Of a device with memory of its own, where it tells: what tensors can still get, and all there is.
  virtual std::optional<DeviceMemory> memory() { return std::nullopt; }
  // Since the object was made.
  virtual DeviceCounters counters() const { return {}; }

  // out[i] = in[i] rounded to out's dtype. Any of f32 f16 bf16 f8_e4m3 f8_e5m2 to f32 or bf16; f32
  // and bf16 to f16 too.
  virtual void cast(const Tensor& in, Tensor& out) = 0;
  // out[view_out(i)] = in[view_in(i)] for every index i of `extents` (rank <= 8), same dtype, any
  // dtype. Serves permutations, concatenation, slicing, patchify.
  virtual void copy_strided(const Tensor& in, const StridedView& view_in, const Shape& extents,
                            Tensor& out, const StridedView& view_out) = 0;
  // out[i, :] = table[ids[i], :]; ids i32 [n], checked against the table. table any float dtype.
  virtual void gather_rows(const Tensor& table, const Tensor& ids, Tensor& out) = 0;

  // Matrix products. Weight [N, K] in f32, f16, bf16, f8_e4m3 or f8_e5m2.
  virtual std::shared_ptr<PreparedWeight> prepare_linear(const Tensor& weight, LinearUse use) = 0;
  // out[M, N] = act(x[M, K] w[N, K]^T + bias[N]); bias may be null, and is where `use` said so. A
  // device whose products know no activation rounds the product to out's dtype before it.
  virtual void linear(const Tensor& x, const PreparedWeight& weight, const Tensor* bias,
                      Activation act, Tensor& out) = 0;
  // The same for an operand that several products share, or that is packed.
  virtual void shared_linear(const PlainMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                             Activation act, Tensor& out) {
    linear(x.x, weight, bias, act, out);
  }
  // What that gives in bf16 as the operand of a product with `next`, packed without the tensor in
  // between. False, and nothing done, where that cannot be had.
  virtual bool linear_packed(const PlainMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                             Activation act, const PreparedWeight& next, PlainMatrix& out) {
    static_cast<void>(x), static_cast<void>(weight), static_cast<void>(bias);
    static_cast<void>(act), static_cast<void>(next), static_cast<void>(out);
    return false;
  }
  virtual KernelChoice linear_kernel(DType weight, int64_t out_features, int64_t in_features,
                                     LinearUse use) const = 0;

  // Quantized matrices (formats/). The bytes and scales that quantize() writes are those of
  // formats/reference.h on every back end.
  // x [M, K] in bf16 or f16 -> `out`, whose format, extents and tensors the caller has set.
  virtual void quantize(const Tensor& x, const QuantizeOptions& options, QuantizedMatrix& out) = 0;
  // out f32 [M, K], rounded once.
  virtual void dequantize(const QuantizedMatrix& x, Tensor& out) = 0;
  // May keep the matrix's tensors or rearrange them; never both copies.
  virtual std::shared_ptr<PreparedWeight> prepare_quantized(const QuantizedMatrix& weight) = 0;
  // out[M, N] = act(x w^T + bias), as reference::matmul says but for the order inside a group of 512
  // columns; out f32, bf16 or f16. The weight comes from prepare_quantized(); x and weight may have
  // different formats, but not different lengths of fp32 groups.
  virtual void quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight,
                                const Tensor* bias, Activation act, Tensor& out) = 0;
  // What quantized_linear() gives in bf16 as quantize() encodes it, without the tensor in between;
  // `out` as there, [M, N]. False, and nothing done, where that cannot be had.
  virtual bool quantized_linear_encoded(const QuantizedMatrix& x, const PreparedWeight& weight,
                                        const Tensor* bias, Activation act,
                                        const QuantizeOptions& options, QuantizedMatrix& out) {
    static_cast<void>(x), static_cast<void>(weight), static_cast<void>(bias);
    static_cast<void>(act), static_cast<void>(options), static_cast<void>(out);
    return false;
  }
  virtual KernelChoice quantized_kernel(const QuantFormat& x, const QuantFormat& weight,
                                        int64_t out_features, int64_t in_features) const = 0;

  // Weight [Cout, Cin, kt, kh, kw], in any dtype of a linear's, for x of dtype `input`.
  virtual std::shared_ptr<PreparedWeight> prepare_conv3d(const Tensor& weight, DType input) = 0;
  // `clips` [Ti, H, W, Cin] one behind the other in time, behind zero frames; out [To, Ho, Wo, Cout],
  // or what channel_norm makes of it. bias f32 [Cout] or null.
  virtual void conv3d(std::span<const Tensor> clips, const PreparedWeight& weight,
                      const Tensor* bias, const Conv3dParams& params, const Conv3dTail& tail,
                      Tensor& out) = 0;

  // q [B, Sq, H, D], k and v [B, Sk, H, D] -> out [B, Sq, H, D]. Rows without any key give zeros.
  virtual void attention(const Tensor& q, const Tensor& k, const Tensor& v,
                         const AttentionParams& params, Tensor& out) = 0;
  // With `bias` and `precision` as in AttentionParams.
  virtual KernelChoice attention_kernel(DType activation, bool bias,
                                        AttentionPrecision precision) const = 0;

  // Over the last axis C of x [..., C].
  // (x - mean) / sqrt(var + eps) * gain + bias; gain and bias f32 [C] or null.
  virtual void layer_norm(const Tensor& x, const Tensor* gain, const Tensor* bias, float eps,
                          Tensor& out) = 0;
  // layer_norm(x) * (1 + scale) + shift; x [B, S, C]; shift, scale f32 [B, 1, C] or [B, S, C].
  virtual void norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, float eps,
                             Tensor& out) = 0;
  // x / sqrt(mean(x^2) + eps) * gain
  virtual void rms_norm(const Tensor& x, const Tensor& gain, float eps, Tensor& out) = 0;
  // act(x / max(|x|_2, 1e-12) * sqrt(C) * gain): the norm of Wan's VAE; act none or silu. With a
  // border b > 0, x is [T, H, W, C] and out [T, H + 2b, W + 2b, C], zero but for its middle.
  virtual void channel_norm(const Tensor& x, const Tensor& gain, Activation act, int border,
                            Tensor& out) = 0;

  // x + y * gate; x, y [B, S, C]; gate f32 [B, 1, C] or [B, S, C].
  virtual void gate_add(const Tensor& x, const Tensor& y, const Tensor& gate, Tensor& out) = 0;
  // a + b; b has a's shape or is a suffix of it (broadcast over the leading axes). b may be f32.
  virtual void add(const Tensor& a, const Tensor& b, Tensor& out) = 0;
  // act(x), or act(x) * y when y is not null.
  virtual void activate(Activation act, const Tensor& x, const Tensor* y, Tensor& out) = 0;
  // Rotates pairs (x[2i], x[2i+1]) of x [B, S, H, D] by the angle whose cos and sin are f32
  // [S, D/2].
  virtual void rope(const Tensor& x, const Tensor& cos, const Tensor& sin, Tensor& out) = 0;
  // rope() of the heads of rms_norm(x), rounded in between: x [B, S, H * D] -> out [B, S, H, D]. By
  // default the two run one after the other.
  virtual void rms_norm_rope(const Tensor& x, const Tensor& gain, float eps, const Tensor& cos,
                             const Tensor& sin, Tensor& out);
  // The sum and its norm, one after the other by default.
  virtual void norm_sum(const NormedSum& rows, Tensor& out);
  // quantize() of what norm_sum() gives in bf16, [M, C]; `out` as there.
  virtual void quantize_normed(const NormedSum& rows, const QuantizeOptions& options,
                               QuantizedMatrix& out);
  // Nearest 2x in H and W: x [T, H, W, C] -> out [T, 2H + 2b, 2W + 2b, C] with a border of b zeros.
  virtual void upsample2x(const Tensor& x, int border, Tensor& out) = 0;
  // out = sum_i coefficients[i] * inputs[i], fp32 in the order given, one rounding at the end.
  // inputs may be f32 and bf16 mixed; out f32 or bf16.
  virtual void linear_combination(std::span<const float> coefficients,
                                  std::span<const Tensor* const> inputs, Tensor& out) = 0;
};

struct BackendOptions {
  int threads = 0;      // 0: all processors the process may use
  std::string isa;      // CPU: "", or a forced kernel table: "scalar", "avx2", ...
};

}  // namespace mxdit
