// The reference kernels, one plain loop each; scalar_table() lists them.
#pragma once

#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu::scalar {

void cast(const CastArgs& args, int64_t begin, int64_t end) noexcept;
void add(const AddArgs& args, int64_t begin, int64_t end) noexcept;
void activate(const ActivateArgs& args, int64_t begin, int64_t end) noexcept;
void combine(const CombineArgs& args, int64_t begin, int64_t end) noexcept;
void layer_norm(const LayerNormArgs& args, int64_t begin, int64_t end) noexcept;
void rms_norm(const ScaleNormArgs& args, int64_t begin, int64_t end) noexcept;
void channel_norm(const ScaleNormArgs& args, int64_t begin, int64_t end) noexcept;
void gate_add(const GateAddArgs& args, int64_t begin, int64_t end) noexcept;
void rope(const RopeArgs& args, int64_t begin, int64_t end) noexcept;
void copy(const CopyArgs& args, int64_t begin, int64_t end) noexcept;
void upsample2x(const UpsampleArgs& args, int64_t begin, int64_t end) noexcept;
void quantize(const QuantizeArgs& args, int64_t begin, int64_t end) noexcept;
void dequantize(const DequantizeArgs& args, int64_t begin, int64_t end) noexcept;

inline constexpr int kMr = 4, kNr = 16;
void pack(const PackArgs& args) noexcept;
void pack_columns(const PackArgs& args) noexcept;
void pack_quantized(const PackQuantizedArgs& args) noexcept;
void multiply(const MultiplyArgs& args) noexcept;
void store(const StoreArgs& args) noexcept;
void store_transposed(const StoreTransposedArgs& args) noexcept;
void softmax(const SoftmaxArgs& args) noexcept;

}  // namespace mxdit::cpu::scalar
