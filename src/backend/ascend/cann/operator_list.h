// The operators of aclnn that mxdit calls: name, first CANN version, use, and the types of the
// arguments of phase one without workspace size and executor.
//
// Versions: the dual-level pair and DynamicMxQuant as their sources are tagged; "8.5" elsewhere is
// the first version for the A5 generation, so an upper bound.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mxdit::ascend::cann {

// X(identifier, symbol, first version, use, argument types of runtime/operator_values.h...)
#define MXDIT_CANN_OPERATORS(X)                                                                   \
  X(dynamic_dual_level_mx_quant, aclnnDynamicDualLevelMxQuant, "9.0", "quantizing to mxfp4_npu",  \
    TensorView, TensorView, Text, int64_t, int64_t, TensorView, TensorView, TensorView)           \
  X(dual_level_quant_matmul_weight_nz, aclnnDualLevelQuantMatmulWeightNz, "9.0",                  \
    "products of mxfp4_npu", TensorView, TensorView, TensorView, TensorView, TensorView,          \
    TensorView, TensorView, bool, bool, int64_t, int64_t, TensorView)                             \
  X(npu_format_cast, aclnnNpuFormatCast, "8.5", "weights in FRACTAL_NZ", TensorView, TensorView)  \
  X(dynamic_mx_quant, aclnnDynamicMxQuant, "8.5", "quantizing to mxfp8 and mxfp4", TensorView,    \
    int64_t, Text, int64_t, int64_t, int64_t, TensorView, TensorView)                             \
  X(quant_matmul_v5, aclnnQuantMatmulV5, "8.5", "products of mxfp8 and mxfp4", TensorView,        \
    TensorView, TensorView, TensorView, TensorView, TensorView, TensorView, TensorView,           \
    TensorView, bool, bool, int64_t, TensorView)                                                  \
  X(quant_matmul_weight_nz, aclnnQuantMatmulWeightNz, "8.5",                                      \
    "products of mxfp8 and mxfp4 with weights in FRACTAL_NZ", TensorView, TensorView, TensorView, \
    TensorView, TensorView, TensorView, TensorView, TensorView, TensorView, bool, bool, int64_t,  \
    TensorView)                                                                                   \
  X(matmul, aclnnMatmul, "8.5", "products", TensorView, TensorView, TensorView, int8_t)           \
  X(batch_mat_mul, aclnnBatchMatMul, "8.5", "attention with a bias or masked keys", TensorView,   \
    TensorView, TensorView, int8_t)                                                               \
  X(addmm, aclnnAddmm, "8.5", "products with a bias", TensorView, TensorView, TensorView,         \
    ScalarValue, ScalarValue, TensorView, int8_t)                                                 \
  X(matmul_weight_nz, aclnnMatmulWeightNz, "8.5", "products with weights in FRACTAL_NZ",          \
    TensorView, TensorView, TensorView, int8_t)                                                   \
  X(cast, aclnnCast, "8.5", "conversions of element types", TensorView, DataType, TensorView)     \
  X(add, aclnnAdd, "8.5", "sums", TensorView, TensorView, ScalarValue, TensorView)                \
  X(mul, aclnnMul, "8.5", "elementwise products", TensorView, TensorView, TensorView)             \
  X(muls, aclnnMuls, "8.5", "products with a number", TensorView, ScalarValue, TensorView)        \
  X(adds, aclnnAdds, "8.5", "sums with a number", TensorView, ScalarValue, ScalarValue,           \
    TensorView)                                                                                   \
  X(layer_norm, aclnnLayerNorm, "8.5", "norms", TensorView, IntArray, TensorView, TensorView,     \
    double, TensorView, TensorView, TensorView)                                                   \
  X(rms_norm, aclnnRmsNorm, "8.5", "norms", TensorView, TensorView, double, TensorView,           \
    TensorView)                                                                                   \
  X(gelu_v2, aclnnGeluV2, "8.5", "activations", TensorView, int64_t, TensorView)                  \
  X(silu, aclnnSilu, "8.5", "activations", TensorView, TensorView)                                \
  X(softmax, aclnnSoftmax, "8.5", "attention with a bias or masked keys", TensorView, int64_t,    \
    TensorView)                                                                                   \
  X(flash_attention_score_v4, aclnnFlashAttentionScoreV4, "8.5", "attention", TensorView,         \
    TensorView, TensorView, TensorView, TensorView, TensorView, TensorView, TensorView,           \
    TensorView, TensorView, TensorView, TensorView, TensorView, IntArray, IntArray, IntArray,     \
    IntArray, IntArray, double, double, int64_t, int64_t, int64_t, Text, int64_t, int64_t,        \
    int64_t, int64_t, Text, int64_t, int64_t, TensorView, TensorView, TensorView, TensorView)     \
  X(rotary_position_embedding, aclnnRotaryPositionEmbedding, "8.5", "rotary positions",           \
    TensorView, TensorView, TensorView, int64_t, TensorView)                                      \
  X(convolution, aclnnConvolution, "8.5", "the VAE's convolutions", TensorView, TensorView,       \
    TensorView, IntArray, IntArray, IntArray, bool, IntArray, int64_t, TensorView, int8_t)        \
  X(permute, aclnnPermute, "8.5", "permutations", TensorView, IntArray, TensorView)               \
  X(inplace_copy, aclnnInplaceCopy, "8.5", "strided copies", TensorView, TensorView)

enum class OperatorId : uint8_t {
#define MXDIT_CANN_IDENTIFIER(identifier, ...) identifier,
  MXDIT_CANN_OPERATORS(MXDIT_CANN_IDENTIFIER)
#undef MXDIT_CANN_IDENTIFIER
};

#define MXDIT_CANN_ONE(...) +1
inline constexpr size_t kOperators = 0 MXDIT_CANN_OPERATORS(MXDIT_CANN_ONE);
#undef MXDIT_CANN_ONE

}  // namespace mxdit::ascend::cann
