// The sampling loop: two experts switched at boundary_ratio, classifier-free guidance.
//
// Reads params, prompt_embeds, negative_prompt_embeds, latents. Writes latents (denoised),
// report.denoise_step_seconds.
#pragma once

#include "stages/stage.h"

namespace mxdit {

class Denoise : public Stage {
 public:
  std::string name() const override { return "DenoisingStage"; }
  void run(const Components& components, const RunContext& context,
           RunState& state) const override;
};

}  // namespace mxdit
