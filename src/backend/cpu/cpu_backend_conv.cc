// conv3d: in bf16 on the dots of conv_dots.h where the table has them, else as an fp32 product
// whose left rows are gathered from the frames while they are packed.
#include <algorithm>
#include <cstring>
#include <optional>

#include "backend/cpu/conv_dots.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/tile_product.h"

namespace mxdit::cpu {
namespace {

// Weights as [Cout, kt, kh, kw, Cin], so that one tap is a run of channels like a pixel is, or as
// dots.
class CpuConvWeight : public PreparedWeight {
 public:
  CpuConvWeight(const Tensor& weight, Tensor taps)
      : shape_(weight.shape()), taps_(std::move(taps)) {}
  CpuConvWeight(const Tensor& weight, DotFilter dots)
      : shape_(weight.shape()), dots_(std::move(dots)) {}
  int64_t out_features() const noexcept override { return shape_.dims()[0]; }
  int64_t in_features() const noexcept override { return shape_.dims()[1]; }
  size_t bytes() const noexcept override { return dots_ ? dots_->bytes() : taps_.bytes(); }
  int64_t extent(int axis) const { return shape_[2 + axis]; }
  const Tensor& taps() const noexcept { return taps_; }
  const DotFilter* dots() const noexcept { return dots_ ? &*dots_ : nullptr; }

 private:
  Shape shape_;
  Tensor taps_;
  std::optional<DotFilter> dots_;
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
  // Frames may be null: zeros.
  ReceptiveFields(const ConvGeometry& geometry, std::vector<const uint8_t*> frames, Element type)
      : g_(geometry),
        frames_(std::move(frames)),
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
      const uint8_t* line =
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

  // Null where everything is zero.
  const uint8_t* line_of(int64_t t, int64_t y) const {
    const uint8_t* frame = frames_[static_cast<size_t>(t)];
    if (frame == nullptr || y < 0 || y >= g_.height) return nullptr;
    return frame + y * g_.width * pixel_bytes_;
  }

  ConvGeometry g_;
  std::vector<const uint8_t*> frames_;
  Element type_;
  int64_t pixel_bytes_;
  std::vector<uint8_t> zeros_;
};

// Frames with their padding, and a tail behind each that panels may read.
DotFrames pad_frames(ThreadPool& threads, const DotFrames& in, const Conv3dParams& params,
                     int64_t pixel_bytes, int64_t tail_bytes, uint8_t* to) {
  DotFrames out;
  out.height = in.height + params.pad_top + params.pad_bottom;
  out.width = in.width + params.pad_left + params.pad_right;
  const int64_t line_bytes = out.width * pixel_bytes;
  const int64_t left = params.pad_left * pixel_bytes, run = in.width * pixel_bytes;
  out.bytes = out.height * line_bytes + tail_bytes;
  for (const uint8_t* frame : in.frames) {
    out.frames.push_back(frame == nullptr ? nullptr : to);
    if (frame == nullptr) continue;
    threads.parallel_for(out.height, 16, [&](int64_t begin, int64_t end) {
      for (int64_t y = begin; y < end; ++y) {
        uint8_t* line = to + y * line_bytes;
        const int64_t from = y - params.pad_top;
        if (from < 0 || from >= in.height) {
          std::memset(line, 0, static_cast<size_t>(line_bytes));
          continue;
        }
        std::memset(line, 0, static_cast<size_t>(left));
        std::memcpy(line + left, frame + from * run, static_cast<size_t>(run));
        std::memset(line + left + run, 0, static_cast<size_t>(line_bytes - left - run));
      }
    });
    std::memset(to + out.height * line_bytes, 0, static_cast<size_t>(tail_bytes));
    to += (out.bytes + 63) / 64 * 64;
  }
  return out;
}

std::vector<const uint8_t*> list_frames(std::span<const Tensor> clips, int zero_frames) {
  std::vector<const uint8_t*> frames(static_cast<size_t>(zero_frames), nullptr);
  for (const Tensor& clip : clips) {
    const int64_t frame_bytes = clip.dim(1) * line_bytes(clip);
    for (int64_t t = 0; t < clip.dim(0); ++t)
      frames.push_back(static_cast<const uint8_t*>(clip.data()) + t * frame_bytes);
  }
  return frames;
}

}  // namespace

std::shared_ptr<PreparedWeight> CpuBackend::prepare_conv3d(const Tensor& weight, DType input) {
  MXDIT_CHECK(weight.shape().rank() == 5,
              "[backend] prepare_conv3d: expected [Cout, Cin, kt, kh, kw], got ", weight.shape());
  element_of(weight.dtype());
  if (DotFilter::takes(kernels_, weight, input))
    return std::make_shared<CpuConvWeight>(weight, DotFilter(kernels_, threads_, *memory_, weight));
  const int64_t taps = weight.dim(2) * weight.dim(3) * weight.dim(4);
  const int64_t in = weight.dim(1), out = weight.dim(0);
  Tensor packed = empty(weight.dtype(), {out, taps, in});
  copy_strided(weight, {.offset = 0, .strides = {in * taps, 1, taps}}, {out, taps, in}, packed,
               {.offset = 0, .strides = {in * taps, in, 1}});
  return std::make_shared<CpuConvWeight>(weight, std::move(packed));
}

void CpuBackend::conv3d(std::span<const Tensor> clips, const PreparedWeight& weight,
                        const Tensor* bias, const Conv3dParams& params, const Conv3dTail& tail,
                        Tensor& out) {
  const auto& w = static_cast<const CpuConvWeight&>(weight);
  const DotFilter* dots = w.dots();
  // What is fused and what is not: see convolve_dots.
  const bool is_fused = dots != nullptr && fuses_norm(*dots);
  Tensor plain = out;
  if (tail.gain != nullptr && !is_fused)
    plain = empty(out.dtype(), {out.dim(0), out.dim(1) - 2 * tail.border,
                                out.dim(2) - 2 * tail.border, out.dim(3)});
  if (dots != nullptr) {
    conv3d_dots(clips, *dots, bias, params, is_fused ? tail : Conv3dTail{tail.residual}, plain);
  } else {
    conv3d_tiles(clips, weight, bias, params, plain);
    if (tail.residual != nullptr) add(plain, *tail.residual, plain);
  }
  if (tail.gain != nullptr && !is_fused)
    channel_norm(plain, *tail.gain, tail.act, tail.border, out);
}

void CpuBackend::conv3d_tiles(std::span<const Tensor> clips, const PreparedWeight& weight,
                              const Tensor* bias, const Conv3dParams& params, Tensor& out) {
  const auto& w = static_cast<const CpuConvWeight&>(weight);
  const Tensor& x = clips.front();
  const ConvGeometry geometry = {.kt = w.extent(0),
                                 .kh = w.extent(1),
                                 .kw = w.extent(2),
                                 .channels = w.in_features(),
                                 .height = x.dim(1),
                                 .width = x.dim(2),
                                 .out_height = out.dim(1),
                                 .out_width = out.dim(2),
                                 .params = params};
  const ReceptiveFields left(geometry, list_frames(clips, params.zero_frames),
                             element_of(x.dtype()));
  const int64_t k = geometry.kt * geometry.kh * geometry.kw * geometry.channels;
  const MatrixRows right(w.taps().data(), element_of(w.taps().dtype()), k);
  const ProductOutput output = {.bias = bias == nullptr ? nullptr : bias->as<float>(),
                                .function = Function::none,
                                .out = out.mutable_data(),
                                .type = element_of(out.dtype())};
  multiply_tiles(kernels_.matrix, threads_, *memory_, left, right,
                 out.dim(0) * out.dim(1) * out.dim(2), w.out_features(), k, output);
}

void CpuBackend::conv3d_dots(std::span<const Tensor> clips, const DotFilter& filter,
                             const Tensor* bias, const Conv3dParams& params,
                             const Conv3dTail& tail, Tensor& out) {
  const Tensor& x = clips.front();
  const int64_t pixel_bytes = x.dim(3) * 2;
  DotFrames frames = {.frames = list_frames(clips, params.zero_frames),
                      .height = x.dim(1),
                      .width = x.dim(2),
                      .bytes = x.dim(1) * x.dim(2) * pixel_bytes};
  std::shared_ptr<Storage> padded;
  const bool has_padding =
      params.pad_top + params.pad_bottom + params.pad_left + params.pad_right > 0;
  if (has_padding || !holds_panels(filter, frames, params)) {
    const int64_t behind = dot_tail_bytes(filter, params);
    const int64_t bytes = (frames.height + params.pad_top + params.pad_bottom) *
                              (frames.width + params.pad_left + params.pad_right) * pixel_bytes +
                          behind + 64;
    padded = memory_->allocate(frames.frames.size() * static_cast<size_t>(bytes));
    frames = pad_frames(threads_, frames, params, pixel_bytes, behind,
                        static_cast<uint8_t*>(padded->data()));
  }
  const DotOutput output = {.bias = bias == nullptr ? nullptr : bias->as<float>(),
                            .residual = tail.residual == nullptr ? nullptr : tail.residual->data(),
                            .gain = tail.gain == nullptr ? nullptr : tail.gain->as<float>(),
                            .function = function_of(tail.act),
                            .border = tail.border,
                            .frames = out.dim(0),
                            .height = out.dim(1) - 2 * tail.border,
                            .width = out.dim(2) - 2 * tail.border,
                            .out = static_cast<uint8_t*>(out.mutable_data())};
  if (tail.border > 0) clear_border(tail.border, out);
  convolve_dots(kernels_, threads_, *memory_, filter, frames, params, output);
}

}  // namespace mxdit::cpu
