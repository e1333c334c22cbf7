// The scalar reference of quantization: what every back end and instruction set must equal.
//
// Written for reading: one element at a time, no threads. Encoding is defined to the bit
// (docs/numerics.md), decoding is exact, the product has a stated order. All tensors are host
// memory. A wrong dtype or shape is a defect of the caller.
#pragma once

#include "formats/quantized_matrix.h"

namespace mxdit::reference {

// x [rows, columns] in bf16 or f16. Packed formats need an even number of columns.
QuantizedMatrix quantize(const Tensor& x, const QuantFormat& format,
                         const QuantizeOptions& options = {});

// f64 [rows, columns]: exact, since an element times its scales has fewer than 53 bits. A block
// scale of 0xff gives NaN.
Tensor dequantize(const QuantizedMatrix& x);

// out[m, n] = bias[n] + sum_k x[m, k] w[n, k], as [M, N] of out_type (f32, bf16 or f16), with one
// rounding at the end. bias f32 [N] or null. Groups of 512 columns are summed by themselves; with
// scales per group each sum is multiplied with fp32(x.scale * w.scale) before it is added, in fp32,
// starting at the bias; scales per row are multiplied at the end, before the bias.
Tensor matmul(const QuantizedMatrix& x, const QuantizedMatrix& w, const Tensor* bias,
              DType out_type);

}  // namespace mxdit::reference
