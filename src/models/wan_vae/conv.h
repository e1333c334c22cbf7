// The convolutions and the norm of Wan's VAE on single frames [1, H, W, C] in the compute dtype.
//
// Every layer sees one frame at a time: convolutions over time reach back through a FrameHistory,
// so working memory is that of one frame, whatever the length of the clip. The results are those of
// any other cut in time, as each output frame depends on the same input frames.
//
// Layers are immutable; what changes during a run is in FrameHistory objects of the caller. load()
// throws the errors of load_parameter (layers/parameters.h).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "layers/model_source.h"

namespace mxdit::wan_vae {

// The last (at most two) input frames of one convolution over time.
class FrameHistory {
 public:
  int64_t count() const noexcept { return static_cast<int64_t>(frames_.size()); }
  // Oldest first.
  const std::vector<Tensor>& frames() const noexcept { return frames_; }
  // Remembers `frame`, which it shares, and forgets the oldest of three. All frames have one shape
  // and dtype, and nobody writes to them any more.
  void push(const Tensor& frame);
  // Forgets all but the newest frame.
  void keep_newest();

 private:
  std::vector<Tensor> frames_;
};

// A border of zeros around frames, kept by whoever makes them, so that the convolution behind has
// no padding to do.
inline constexpr int kBorder = 1;

// 1x1 convolution, as a product of matrices.
class PointwiseConv {
 public:
  // `rank`: 4 for a Conv2d, 5 for a Conv3d. Takes output channels first..first + out - 1 of the
  // `stored` ones (a fused q, k, v is split so).
  static PointwiseConv load(const ModelSource& source, const std::string& name, int rank,
                            int64_t stored, int64_t first, int64_t out, int64_t in);
  static PointwiseConv load(const ModelSource& source, const std::string& name, int rank,
                            int64_t out, int64_t in) {
    return load(source, name, rank, out, 0, out, in);
  }
  Tensor forward(const Tensor& x) const;

 private:
  Backend* backend_ = nullptr;
  std::shared_ptr<PreparedWeight> weight_;
  Tensor bias_;
};

// 3x3 convolution of frames (Conv2d), padded by `params`.
class PlaneConv {
 public:
  static PlaneConv load(const ModelSource& source, const std::string& name, int64_t out, int64_t in,
                        const Conv3dParams& params);
  Tensor forward(const Tensor& frame) const;

 private:
  Backend* backend_ = nullptr;
  std::shared_ptr<PreparedWeight> weight_;
  Tensor bias_;
  Conv3dParams params_;
};

// WanCausalConv3d over three frames: 3x3x3 or 3x1x1.
class CausalConv {
 public:
  // `border`: that of the frames. Space is padded by what is missing.
  static CausalConv load(const ModelSource& source, const std::string& name, int64_t out,
                         int64_t in, int64_t spatial_kernel, int border);
  // The output frame of `frame`, behind the remembered ones and zeros where there are none yet;
  // remembers `frame`.
  Tensor forward(const Tensor& frame, FrameHistory& history, const Conv3dTail& tail = {}) const;

 private:
  Backend* backend_ = nullptr;
  std::shared_ptr<PreparedWeight> weight_;
  Tensor bias_;
  std::array<int64_t, 3> kernel_{};
  int padding_ = 0;
};

// WanRMS_norm, fused with the activation behind it.
class ChannelNorm {
 public:
  // `rank` of the stored gain: 4 for [C, 1, 1, 1], 3 for [C, 1, 1] ("images").
  static ChannelNorm load(const ModelSource& source, const std::string& name, int rank,
                          int64_t channels, Activation act);
  Tensor forward(const Tensor& x, int border = 0) const;
  // The same as what follows a convolution.
  Conv3dTail tail(int border) const { return {nullptr, &gain_, act_, border}; }

 private:
  Backend* backend_ = nullptr;
  Tensor gain_;
  Activation act_ = Activation::none;
};

}  // namespace mxdit::wan_vae
