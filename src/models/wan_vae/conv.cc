#include "models/wan_vae/conv.h"

#include "layers/parameters.h"
#include "ops/ops.h"

namespace mxdit::wan_vae {
namespace {

std::shared_ptr<PreparedWeight> load_conv(const ModelSource& source, const std::string& name,
                                          const Shape& stored, const Shape& conv3d) {
  const Tensor weight = load_stored(source, name + ".weight", stored);
  return source.backend->prepare_conv3d(weight.reshape(conv3d), source.compute);
}

// [first, 1, 1, ...]
Shape column_shape(int64_t first, int rank) {
  std::vector<int64_t> dims(static_cast<size_t>(rank), 1);
  dims[0] = first;
  return Shape(std::move(dims));
}

}  // namespace

Tensor FrameHistory::frames() const {
  return count_ == 0 ? Tensor() : buffer_.slice(2 - count_, 2);
}

void FrameHistory::push(Backend& backend, const Tensor& frame) {
  if (!buffer_.defined())
    buffer_ = backend.empty(frame.dtype(), {2, frame.dim(1), frame.dim(2), frame.dim(3)});
  constexpr std::array<int64_t, 4> kStart = {0, 0, 0, 0};
  Tensor older = buffer_.slice(0, 1), newer = buffer_.slice(1, 2);
  if (count_ > 0) ops::write_block(backend, newer, kStart, older);
  ops::write_block(backend, frame, kStart, newer);
  if (count_ < 2) ++count_;
}

PointwiseConv PointwiseConv::load(const ModelSource& source, const std::string& name, int rank,
                                  int64_t stored, int64_t first, int64_t out, int64_t in) {
  std::vector<int64_t> dims(static_cast<size_t>(rank), 1);
  dims[0] = stored;
  dims[1] = in;
  const Tensor weight = load_stored(source, name + ".weight", Shape(std::move(dims)));
  PointwiseConv conv;
  conv.backend_ = source.backend;
  conv.weight_ =
      source.backend->prepare_linear(weight.reshape({stored, in}).slice(first, first + out));
  conv.bias_ = load_parameter(source, name + ".bias", {stored}).slice(first, first + out);
  return conv;
}

Tensor PointwiseConv::forward(const Tensor& x) const {
  return ops::linear(*backend_, x, *weight_, &bias_);
}

PlaneConv PlaneConv::load(const ModelSource& source, const std::string& name, int64_t out,
                          int64_t in, const Conv3dParams& params) {
  PlaneConv conv;
  conv.backend_ = source.backend;
  conv.weight_ = load_conv(source, name, {out, in, 3, 3}, {out, in, 1, 3, 3});
  conv.bias_ = load_parameter(source, name + ".bias", {out});
  conv.params_ = params;
  return conv;
}

Tensor PlaneConv::forward(const Tensor& frame) const {
  return ops::conv3d(*backend_, frame, nullptr, *weight_, {1, 3, 3}, &bias_, params_);
}

CausalConv CausalConv::load(const ModelSource& source, const std::string& name, int64_t out,
                            int64_t in, int64_t spatial_kernel) {
  const Shape shape = {out, in, 3, spatial_kernel, spatial_kernel};
  CausalConv conv;
  conv.backend_ = source.backend;
  conv.weight_ = load_conv(source, name, shape, shape);
  conv.bias_ = load_parameter(source, name + ".bias", {out});
  conv.kernel_ = {3, spatial_kernel, spatial_kernel};
  return conv;
}

Tensor CausalConv::forward(const Tensor& frame, FrameHistory& history) const {
  Conv3dParams params;
  params.pad_top = params.pad_bottom = static_cast<int>(kernel_[1] / 2);
  params.pad_left = params.pad_right = static_cast<int>(kernel_[2] / 2);
  params.zero_frames = static_cast<int>(2 - history.count());
  const Tensor past = history.frames();
  Tensor out = ops::conv3d(*backend_, frame, past.defined() ? &past : nullptr, *weight_, kernel_,
                           &bias_, params);
  history.push(*backend_, frame);
  return out;
}

ChannelNorm ChannelNorm::load(const ModelSource& source, const std::string& name, int rank,
                              int64_t channels, Activation act) {
  ChannelNorm norm;
  norm.backend_ = source.backend;
  norm.gain_ =
      load_parameter(source, name + ".gamma", column_shape(channels, rank)).reshape({channels});
  norm.act_ = act;
  return norm;
}

Tensor ChannelNorm::forward(const Tensor& x) const {
  return ops::channel_norm(*backend_, x, gain_, act_);
}

}  // namespace mxdit::wan_vae
