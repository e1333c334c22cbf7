// The AVX-512 instance of the generic kernels.
#include "backend/cpu/avx512/simd.inc"

namespace mxdit::cpu {
namespace avx512 {
namespace {

#include "backend/cpu/generic/functions.inc"
#include "backend/cpu/generic/matrix.inc"
#include "backend/cpu/generic/rows.inc"

#include "backend/cpu/generic/quantize.inc"
#include "backend/cpu/generic/quantized_rows.inc"

}  // namespace
}  // namespace avx512

const KernelTable* avx512_table() noexcept {
  static constexpr KernelTable table = {
      .name = "avx512",
      .isa = kIsaAvx2 | kIsaAvx512,
#include "backend/cpu/avx512/row_table.inc"
      .copy = nullptr,
      .upsample2x = nullptr,
      .quantize = avx512::quantize,
      .dequantize = avx512::dequantize,
      .matrix = {.mr = avx512::kMr,
                 .nr = avx512::kNr,
                 .pack = avx512::pack,
                 .pack_columns = avx512::pack_columns,
                 .pack_quantized = avx512::pack_quantized,
                 .multiply = avx512::multiply,
                 .store = avx512::store_product,
                 .store_transposed = avx512::store_transposed,
                 .softmax = avx512::softmax},
  };
  return &table;
}

}  // namespace mxdit::cpu
