#include "backend/cpu/scalar/kernels.h"

namespace mxdit::cpu {

const KernelTable* scalar_table() noexcept {
  static constexpr KernelTable table = {
      .name = "scalar",
      .isa = 0,
      .cast = scalar::cast,
      .add = scalar::add,
      .activate = scalar::activate,
      .combine = scalar::combine,
      .layer_norm = scalar::layer_norm,
      .rms_norm = scalar::rms_norm,
      .channel_norm = scalar::channel_norm,
      .gate_add = scalar::gate_add,
      .rope = scalar::rope,
      .copy = scalar::copy,
      .upsample2x = scalar::upsample2x,
      .quantize = scalar::quantize,
      .dequantize = scalar::dequantize,
      .matrix = {.mr = scalar::kMr,
                 .nr = scalar::kNr,
                 .pack = scalar::pack,
                 .pack_columns = scalar::pack_columns,
                 .pack_quantized = scalar::pack_quantized,
                 .multiply = scalar::multiply,
                 .store = scalar::store,
                 .store_transposed = scalar::store_transposed,
                 .softmax = scalar::softmax},
  };
  return &table;
}

}  // namespace mxdit::cpu
