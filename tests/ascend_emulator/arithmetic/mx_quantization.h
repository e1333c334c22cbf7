// Dynamic quantization along the last axis: DynamicDualLevelMxQuant and DynamicMxQuant.
//
// Outputs are dense. Infinite and NaN blocks get the scale code 0xFF; their elements are whatever a
// product with NaN encodes to (unspecified on the device).
#pragma once

#include "ascend_emulator/arithmetic/view.h"

namespace ascend_emulator::arithmetic {

inline constexpr int64_t kL0Block = 512;
inline constexpr int64_t kL1Block = 32;

inline int64_t blocks_of(int64_t length, int64_t block) {
  return (length + block - 1) / block;
}

// x [.., K] bf16 or fp16, any strides, K even; smooth null or [K] of x's type, dense.
// y [.., K/2] bytes, l0 [.., ceil(K/512)], l1 [.., ceil(K/64), 2].
void dual_level_mx_quant(const View& x, const void* smooth, RoundMode mode, uint8_t* y, float* l0,
                         uint8_t* l1);

enum class ScaleRule { kOcp = 0, kCeiling = 1 };

struct MxQuantization {
  Element element = Element::kE4m3fn;  // or kE5m2, kE2m1
  RoundMode mode = RoundMode::kRint;   // E2M1 only
  int64_t block = 32;
  ScaleRule rule = ScaleRule::kOcp;
  float amax_low_bound = 0;  // kCeiling only
};

// x [.., K] bf16, fp16 or fp32, any strides; y as many elements; scales
// [.., ceil(ceil(K/block)/2), 2].
void mx_quant(const View& x, const MxQuantization& quantization, uint8_t* y, uint8_t* scales);

}  // namespace ascend_emulator::arithmetic
