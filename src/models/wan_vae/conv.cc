#include "models/wan_vae/conv.h"

#include "layers/parameters.h"
#include "ops/ops.h"

namespace mxdit::wan_vae {
namespace {

std::shared_ptr<PreparedWeight> load_conv(const ModelSource& source, const std::string& name,
                                          const Shape& stored, const Shape& conv3d) {
  Tensor weight = load_stored(source, name + ".weight", stored);
  // As in a model of that dtype: products of bf16 with bf16 take faster kernels.
  if (source.compute == DType::bf16) weight = ops::cast(*source.backend, weight, DType::bf16);
  return source.backend->prepare_conv3d(weight.reshape(conv3d), source.compute);
}

// [first, 1, 1, ...]
Shape column_shape(int64_t first, int rank) {
  std::vector<int64_t> dims(static_cast<size_t>(rank), 1);
  dims[0] = first;
  return Shape(std::move(dims));
}

}  // namespace

void FrameHistory::push(const Tensor& frame) {
  if (count() == 2) frames_.erase(frames_.begin());
  frames_.push_back(frame);
}

void FrameHistory::keep_newest() {
  if (count() == 2) frames_.erase(frames_.begin());
}

PointwiseConv PointwiseConv::load(const ModelSource& source, const std::string& name, int rank,
                                  int64_t stored, int64_t first, int64_t out, int64_t in) {
  std::vector<int64_t> dims(static_cast<size_t>(rank), 1);
  dims[0] = stored;
  dims[1] = in;
  const Tensor weight = load_stored(source, name + ".weight", Shape(std::move(dims)));
  PointwiseConv conv;
  conv.backend_ = source.backend;
  conv.weight_ = source.backend->prepare_linear(
      weight.reshape({stored, in}).slice(first, first + out), {.bias = true});
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
  return ops::conv3d(*backend_, {&frame, 1}, *weight_, {1, 3, 3}, &bias_, params_);
}

CausalConv CausalConv::load(const ModelSource& source, const std::string& name, int64_t out,
                            int64_t in, int64_t spatial_kernel, int border) {
  const Shape shape = {out, in, 3, spatial_kernel, spatial_kernel};
  CausalConv conv;
  conv.backend_ = source.backend;
  conv.weight_ = load_conv(source, name, shape, shape);
  conv.bias_ = load_parameter(source, name + ".bias", {out});
  conv.kernel_ = {3, spatial_kernel, spatial_kernel};
  conv.padding_ = static_cast<int>(spatial_kernel / 2) - border;
  return conv;
}

Tensor CausalConv::forward(const Tensor& frame, FrameHistory& history,
                           const Conv3dTail& tail) const {
  Conv3dParams params;
  params.pad_top = params.pad_bottom = params.pad_left = params.pad_right = padding_;
  params.zero_frames = static_cast<int>(2 - history.count());
  std::vector<Tensor> clips = history.frames();
  clips.push_back(frame);
  Tensor out = ops::conv3d(*backend_, clips, *weight_, kernel_, &bias_, params, tail);
  history.push(frame);
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

Tensor ChannelNorm::forward(const Tensor& x, int border) const {
  return ops::channel_norm(*backend_, x, gain_, act_, border);
}

}  // namespace mxdit::wan_vae
