// Latents to frames.
//
// Reads latents (or params.from_latents_path). Writes frames.
#pragma once

#include "stages/stage.h"

namespace mxdit {

class Decode : public Stage {
 public:
  std::string name() const override { return "DecodingStage"; }
  void run(const Components& components, const RunContext& context,
           RunState& state) const override;
};

// Frames f32 [1, 3, F, H, W] in -1..1 to 8 bit: round((x / 2 + 0.5) * 255), ties to even, as
// diffusers' image processor does.
Video to_video(const Tensor& frames, double fps);

}  // namespace mxdit
