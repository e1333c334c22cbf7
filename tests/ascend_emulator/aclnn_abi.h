// The operators' C functions. Each operator has two: `<name>GetWorkspaceSize` checks the arguments
// and makes an executor, `<name>` puts it on a stream.
#pragma once

#include "ascend_emulator/acl_abi.h"

#define ACLNN_OPERATOR(name, ...)                                                                 \
  extern "C" ACL_EXPORT aclnnStatus name##GetWorkspaceSize(__VA_ARGS__, uint64_t* workspace_size, \
                                                           aclOpExecutor** executor);             \
  extern "C" ACL_EXPORT aclnnStatus name(void* workspace, uint64_t workspace_size,                \
                                         aclOpExecutor* executor, aclrtStream stream);

// libopapi_nn.so
ACLNN_OPERATOR(aclnnDynamicDualLevelMxQuant, const aclTensor* x, const aclTensor* smooth_scale,
               char* round_mode, int64_t level0_block, int64_t level1_block, aclTensor* y,
               aclTensor* level0_scale, aclTensor* level1_scale)
ACLNN_OPERATOR(aclnnDualLevelQuantMatmulWeightNz, const aclTensor* x1, const aclTensor* x2,
               const aclTensor* x1_level0_scale, const aclTensor* x2_level0_scale,
               const aclTensor* x1_level1_scale, const aclTensor* x2_level1_scale,
               const aclTensor* bias, bool transpose_x1, bool transpose_x2, int64_t level0_group,
               int64_t level1_group, aclTensor* out)
ACLNN_OPERATOR(aclnnDynamicMxQuant, const aclTensor* x, int64_t axis, char* round_mode,
               int64_t dst_type, int64_t block_size, int64_t scale_alg, aclTensor* y,
               aclTensor* mxscale)
ACLNN_OPERATOR(aclnnDynamicMxQuantV2, const aclTensor* x, int64_t axis, char* round_mode,
               int64_t dst_type, int64_t block_size, int64_t scale_alg, double dst_type_max,
               aclTensor* y, aclTensor* mxscale)
ACLNN_OPERATOR(aclnnDynamicMxQuantV3, const aclTensor* x, int64_t axis, char* round_mode,
               int64_t dst_type, int64_t block_size, int64_t scale_alg, double dst_type_max,
               double max_low_bound, aclTensor* y, aclTensor* mxscale)
ACLNN_OPERATOR(aclnnQuantMatmulV5, const aclTensor* x1, const aclTensor* x2,
               const aclTensor* x1_scale, const aclTensor* x2_scale, const aclTensor* y_scale,
               const aclTensor* x1_offset, const aclTensor* x2_offset, const aclTensor* y_offset,
               const aclTensor* bias, bool transpose_x1, bool transpose_x2, int64_t group_size,
               aclTensor* out)
ACLNN_OPERATOR(aclnnQuantMatmulWeightNz, const aclTensor* x1, const aclTensor* x2,
               const aclTensor* x1_scale, const aclTensor* x2_scale, const aclTensor* y_scale,
               const aclTensor* x1_offset, const aclTensor* x2_offset, const aclTensor* y_offset,
               const aclTensor* bias, bool transpose_x1, bool transpose_x2, int64_t group_size,
               aclTensor* out)
ACLNN_OPERATOR(aclnnMatmul, const aclTensor* self, const aclTensor* mat2, aclTensor* out,
               int8_t cube_math_type)
ACLNN_OPERATOR(aclnnMm, const aclTensor* self, const aclTensor* mat2, aclTensor* out,
               int8_t cube_math_type)
ACLNN_OPERATOR(aclnnBatchMatMul, const aclTensor* self, const aclTensor* mat2, aclTensor* out,
               int8_t cube_math_type)
ACLNN_OPERATOR(aclnnAddmm, const aclTensor* self, const aclTensor* mat1, const aclTensor* mat2,
               const aclScalar* beta, const aclScalar* alpha, aclTensor* out, int8_t cube_math_type)
ACLNN_OPERATOR(aclnnMatmulWeightNz, const aclTensor* self, const aclTensor* mat2, aclTensor* out,
               int8_t cube_math_type)
ACLNN_OPERATOR(aclnnLayerNorm, const aclTensor* input, const aclIntArray* normalized_shape,
               const aclTensor* weight, const aclTensor* bias, double eps, aclTensor* out,
               aclTensor* mean, aclTensor* rstd)
ACLNN_OPERATOR(aclnnRmsNorm, const aclTensor* x, const aclTensor* gamma, double eps, aclTensor* y,
               aclTensor* rstd)
ACLNN_OPERATOR(aclnnGeluV2, const aclTensor* x, int64_t approximate, aclTensor* y)
ACLNN_OPERATOR(aclnnSilu, const aclTensor* self, aclTensor* out)
ACLNN_OPERATOR(aclnnSoftmax, const aclTensor* self, int64_t dim, aclTensor* out)
ACLNN_OPERATOR(aclnnConvolution, const aclTensor* input, const aclTensor* weight,
               const aclTensor* bias, const aclIntArray* stride, const aclIntArray* padding,
               const aclIntArray* dilation, bool transposed, const aclIntArray* output_padding,
               int64_t groups, aclTensor* out, int8_t cube_math_type)

// libopapi_math.so
extern "C" ACL_EXPORT aclnnStatus aclnnNpuFormatCastCalculateSizeAndFormat(
    const aclTensor* src, int dst_format, int additional_dtype, int64_t** dst_shape,
    uint64_t* dst_rank, int* actual_format);
ACLNN_OPERATOR(aclnnNpuFormatCast, const aclTensor* src, aclTensor* dst)
ACLNN_OPERATOR(aclnnCast, const aclTensor* self, aclDataType dtype, aclTensor* out)
ACLNN_OPERATOR(aclnnAdd, const aclTensor* self, const aclTensor* other, const aclScalar* alpha,
               aclTensor* out)
ACLNN_OPERATOR(aclnnSub, const aclTensor* self, const aclTensor* other, const aclScalar* alpha,
               aclTensor* out)
ACLNN_OPERATOR(aclnnMul, const aclTensor* self, const aclTensor* other, aclTensor* out)
ACLNN_OPERATOR(aclnnMuls, const aclTensor* self, const aclScalar* other, aclTensor* out)
ACLNN_OPERATOR(aclnnAdds, const aclTensor* self, const aclScalar* other, const aclScalar* alpha,
               aclTensor* out)
ACLNN_OPERATOR(aclnnPermute, const aclTensor* self, const aclIntArray* dims, aclTensor* out)
ACLNN_OPERATOR(aclnnCat, const aclTensorList* tensors, int64_t dim, aclTensor* out)
ACLNN_OPERATOR(aclnnInplaceCopy, aclTensor* self, const aclTensor* src)
ACLNN_OPERATOR(aclnnConstantPadNd, const aclTensor* self, const aclIntArray* pad,
               const aclScalar* value, aclTensor* out)

// libopapi_transformer.so
ACLNN_OPERATOR(aclnnFlashAttentionScoreV4, const aclTensor* query, const aclTensor* key,
               const aclTensor* value, const aclTensor* real_shift, const aclTensor* drop_mask,
               const aclTensor* padding_mask, const aclTensor* atten_mask,
               const aclTensor* query_rope, const aclTensor* key_rope, const aclTensor* dscale_q,
               const aclTensor* dscale_k, const aclTensor* dscale_v, const aclTensor* sink,
               const aclIntArray* prefix, const aclIntArray* actual_seq_q,
               const aclIntArray* actual_seq_kv, const aclIntArray* q_start,
               const aclIntArray* kv_start, double scale, double keep_prob, int64_t pre_tokens,
               int64_t next_tokens, int64_t head_num, char* layout, int64_t inner_precise,
               int64_t sparse_mode, int64_t out_dtype, int64_t pse_type, char* softmax_layout,
               int64_t seed, int64_t offset, aclTensor* softmax_max, aclTensor* softmax_sum,
               aclTensor* softmax_out, aclTensor* out)
ACLNN_OPERATOR(aclnnRotaryPositionEmbedding, const aclTensor* x, const aclTensor* cos,
               const aclTensor* sin, int64_t mode, aclTensor* out)
