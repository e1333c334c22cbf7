// The quantized operators on safetensors files: for checking any implementation against any other.
//
// Shapes are those of CANN's operators. A tensor that an operator does not know is refused, and OUT
// appears only when it is complete. Everything throws mxdit::Error.
#pragma once

#include <string>
#include <vector>

namespace mxdit {

struct OperatorOptions {
  std::string device = "cpu";
  std::string isa;  // CPU: force a kernel table; empty: best
  int threads = 0;  // 0: all processors the process may use
};

// The names that `format` may have: "mxfp4_dual", "mxfp4", "mxfp8", ...
std::vector<std::string> operator_formats();

// IN: x [..., K] in BF16 or F16, and `smooth` [K] in x's dtype if wanted.
// OUT, mxfp4_dual: y [..., K/2] U8 (element 2i in the low nibble), l0 [..., ceil(K/512)] F32,
// l1 [..., ceil(K/64), 2] U8. Single level: y and scale [..., ceil(K/64), 2] U8. Formats with a scale
// per row: y and scale [..., 1] F32. 8-bit elements: y [..., K] in F8_E4M3, F8_E5M2 or I8.
// round: "rint", "round" or "floor".
void quantize_file(const std::string& in, const std::string& out, const std::string& format,
                   const std::string& round, const OperatorOptions& options);

// What quantize_file() wrote -> x in `out_type` ("fp32", "bf16" or "fp16").
void dequantize_file(const std::string& in, const std::string& out, const std::string& format,
                     const std::string& out_type, const OperatorOptions& options);

// IN, mxfp4_dual: x1 [..., K/2], x1_l0, x1_l1, x2 [N, K/2], x2_l0 [ceil(K/512), N] (or
// [N, ceil(K/512)] where that is another shape), x2_l1 [N, ceil(K/64), 2]. Others: x1, x1_scale, x2,
// x2_scale. bias F32 [N] if wanted. OUT: out [..., N].
void matmul_file(const std::string& in, const std::string& out, const std::string& format,
                 const std::string& out_type, const OperatorOptions& options);

// A layer as models run it. IN: x [..., K] in BF16, F16 or F32, bias [N] if wanted, and either a
// plain w (or weight) [N, K], or a checkpoint layer's tensors: weight, weight_scale, ...
// `quantization` is a key of quantization_methods() or empty for a plain product; `type` is the
// modelslim type. out_type empty: x's; fp32 of an x in F16 is widened from F16.
void linear_file(const std::string& in, const std::string& out, const std::string& quantization,
                 const std::string& type, const std::string& out_type,
                 const OperatorOptions& options);

}  // namespace mxdit
