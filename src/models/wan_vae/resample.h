// WanResample: by two in height and width, and optionally in time. Frames [1, H, W, C].
//
// In time the first frame of a clip stands alone (F frames <-> 1 + (F - 1) / 2): upsampling passes
// it on and forgets it ("Rep" in diffusers: the next frame sees zeros before it); downsampling
// passes it on and remembers it.
#pragma once

#include <optional>
#include <string>

#include "models/wan_vae/config.h"
#include "models/wan_vae/conv.h"

namespace mxdit::wan_vae {

class Upsample {
 public:
  struct State {
    bool started = false;
    FrameHistory time_conv;
  };

  static Upsample load(const ModelSource& source, const std::string& name, const StageSpec& spec);
  // The one or two frames that one frame becomes in time: [n, H, W, C].
  Tensor in_time(Tensor frame, State& state) const;
  // [1, H, W, C] -> [1, 2H, 2W, spec.next_channels]
  Tensor in_space(Tensor frame) const;

 private:
  Backend* backend_ = nullptr;
  std::optional<CausalConv> time_conv_;
  PlaneConv conv_;
};

class Downsample {
 public:
  struct State {
    FrameHistory time_conv;
  };

  static Downsample load(const ModelSource& source, const std::string& name, const StageSpec& spec);
  // [1, H, W, C] -> [1, H / 2, W / 2, C]; nothing while a frame waits for the next one.
  std::optional<Tensor> forward(Tensor frame, State& state) const;

 private:
  PlaneConv conv_;
  std::optional<CausalConv> time_conv_;
};

}  // namespace mxdit::wan_vae
