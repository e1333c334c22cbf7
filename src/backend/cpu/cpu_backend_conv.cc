// conv3d as a matrix product whose left rows are gathered from the frames while they are packed.
#include <algorithm>
#include <cstring>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/tile_product.h"

namespace mxdit::cpu {
namespace {

// Weights as [Cout, kt, kh, kw, Cin], so that one tap is a run of channels like a pixel is.
class CpuConvWeight : public PreparedWeight {
 public:
  CpuConvWeight(const Tensor& weight, Tensor taps)
      : shape_(weight.shape()), taps_(std::move(taps)) {}
  int64_t out_features() const noexcept override { return shape_.dims()[0]; }
  int64_t in_features() const noexcept override { return shape_.dims()[1]; }
  size_t bytes() const noexcept override { return taps_.bytes(); }
  int64_t extent(int axis) const { return shape_[2 + axis]; }
  const Tensor& taps() const noexcept { return taps_; }

 private:
  Shape shape_;
  Tensor taps_;
};

// One input of the convolution, as frames.
struct Frames {
  const char* data = nullptr;
  int64_t count = 0;
};

struct ConvGeometry {
  int64_t kt, kh, kw, channels;
  int64_t height, width;          // of the input
  int64_t out_height, out_width;  // of the output
  Conv3dParams params;
};

// Row m of the product's left operand: the receptive field of output pixel m, tap after tap.
class ReceptiveFields : public PanelSource {
 public:
  ReceptiveFields(const ConvGeometry& geometry, Frames history, Frames x, Element type)
      : g_(geometry),
        history_(history),
        x_(x),
        type_(type),
        pixel_bytes_(geometry.channels * element_bytes(type)),
        zeros_(static_cast<size_t>(pixel_bytes_), 0) {}

  void pack(const MatrixKernels& kernels, int64_t first, int64_t count, int64_t k, int64_t k_count,
            int64_t width, const void** rows, float* out) const override {
    const int64_t end = k + k_count;
    for (int64_t at = k; at < end;) {
      const int64_t tap = at / g_.channels, channel = at % g_.channels;
      const int64_t run = std::min(end - at, g_.channels - channel);
      find_pixels(tap, first, count, rows);
      kernels.pack({.rows = rows,
                    .count = count,
                    .offset = channel,
                    .k = run,
                    .type = type_,
                    .scale = 1.0f,
                    .width = width,
                    .panel_stride = width * k_count,
                    .out = out + (at - k) * width});
      at += run;
    }
  }

 private:
  // The input pixel under `tap` for each of `count` output pixels from `first` on.
  void find_pixels(int64_t tap, int64_t first, int64_t count, const void** rows) const {
    const int64_t dt = tap / (g_.kh * g_.kw), dy = tap / g_.kw % g_.kh, dx = tap % g_.kw;
    int64_t ox = first % g_.out_width, oy = first / g_.out_width % g_.out_height;
    int64_t ot = first / (g_.out_width * g_.out_height);
    for (int64_t i = 0; i < count;) {
      const char* line =
          line_of(ot * g_.params.stride_t + dt, oy * g_.params.stride_h + dy - g_.params.pad_top);
      const int64_t line_end = std::min(count, i + g_.out_width - ox);
      for (; i < line_end; ++i, ++ox) {
        const int64_t x = ox * g_.params.stride_w + dx - g_.params.pad_left;
        rows[i] =
            line == nullptr || x < 0 || x >= g_.width ? zeros_.data() : line + x * pixel_bytes_;
      }
      ox = 0;
      if (++oy == g_.out_height) oy = 0, ++ot;
    }
  }

  // Row y of frame t of (zeros, history, x); null where everything is zero.
  const char* line_of(int64_t t, int64_t y) const {
    t -= g_.params.zero_frames;
    if (t < 0 || y < 0 || y >= g_.height) return nullptr;
    const char* frames = t < history_.count ? history_.data : x_.data;
    if (t >= history_.count) t -= history_.count;
    return frames + (t * g_.height + y) * g_.width * pixel_bytes_;
  }

  ConvGeometry g_;
  Frames history_, x_;
  Element type_;
  int64_t pixel_bytes_;
  std::vector<char> zeros_;
};

}  // namespace

std::shared_ptr<PreparedWeight> CpuBackend::prepare_conv3d(const Tensor& weight) {
  MXDIT_CHECK(weight.shape().rank() == 5,
              "[backend] prepare_conv3d: expected [Cout, Cin, kt, kh, kw], got ", weight.shape());
  element_of(weight.dtype());
  const int64_t taps = weight.dim(2) * weight.dim(3) * weight.dim(4);
  const int64_t in = weight.dim(1), out = weight.dim(0);
  Tensor packed = empty(weight.dtype(), {out, taps, in});
  copy_strided(weight, {.offset = 0, .strides = {in * taps, 1, taps}}, {out, taps, in}, packed,
               {.offset = 0, .strides = {in * taps, in, 1}});
  return std::make_shared<CpuConvWeight>(weight, std::move(packed));
}

void CpuBackend::conv3d(const Tensor& x, const Tensor* history, const PreparedWeight& weight,
                        const Tensor* bias, const Conv3dParams& params, Tensor& out) {
  const auto& w = static_cast<const CpuConvWeight&>(weight);
  const ConvGeometry geometry = {.kt = w.extent(0),
                                 .kh = w.extent(1),
                                 .kw = w.extent(2),
                                 .channels = w.in_features(),
                                 .height = x.dim(1),
                                 .width = x.dim(2),
                                 .out_height = out.dim(1),
                                 .out_width = out.dim(2),
                                 .params = params};
  Frames before;
  if (history != nullptr) before = {static_cast<const char*>(history->data()), history->dim(0)};
  const Frames now = {static_cast<const char*>(x.data()), x.dim(0)};
  const ReceptiveFields left(geometry, before, now, element_of(x.dtype()));
  const int64_t k = geometry.kt * geometry.kh * geometry.kw * geometry.channels;
  const MatrixRows right(w.taps().data(), element_of(w.taps().dtype()), k);
  const ProductOutput output = {.bias = bias == nullptr ? nullptr : bias->as<float>(),
                                .function = Function::none,
                                .out = out.mutable_data(),
                                .type = element_of(out.dtype())};
  multiply_tiles(kernels_.matrix, threads_, *memory_, left, right,
                 out.dim(0) * out.dim(1) * out.dim(2), w.out_features(), k, output);
}

}  // namespace mxdit::cpu
