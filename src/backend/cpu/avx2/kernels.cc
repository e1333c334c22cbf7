// The AVX2 instance of the generic kernels.
#include "backend/cpu/avx2/simd.h"

namespace mxdit::cpu {
namespace avx2 {
namespace {

#include "backend/cpu/generic/functions.inc"
#include "backend/cpu/generic/matrix.inc"
#include "backend/cpu/generic/rows.inc"

#include "backend/cpu/generic/quantize.inc"
#include "backend/cpu/generic/quantized_rows.inc"

}  // namespace
}  // namespace avx2

const KernelTable* avx2_table() noexcept {
  static constexpr KernelTable table = {
      .name = "avx2",
      .isa = kIsaAvx2,
      .cast = avx2::cast,
      .add = avx2::add,
      .activate = avx2::activate,
      .combine = avx2::combine,
      .layer_norm = avx2::layer_norm,
      .rms_norm = avx2::rms_norm,
      .channel_norm = avx2::channel_norm,
      .gate_add = avx2::gate_add,
      .rope = avx2::rope,
      .copy = nullptr,
      .upsample2x = nullptr,
      .quantize = avx2::quantize,
      .dequantize = avx2::dequantize,
      .matrix = {.mr = avx2::kMr,
                 .nr = avx2::kNr,
                 .pack = avx2::pack,
                 .pack_columns = avx2::pack_columns,
                 .pack_quantized = avx2::pack_quantized,
                 .multiply = avx2::multiply,
                 .store = avx2::store_product,
                 .store_transposed = avx2::store_transposed,
                 .softmax = avx2::softmax},
  };
  return &table;
}

}  // namespace mxdit::cpu
