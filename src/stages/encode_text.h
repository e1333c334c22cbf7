// Prompts to text embeddings.
//
// Reads params.prompts, negative_prompt, max_sequence_length.
// Writes tokens, prompt_embeds, and with guidance negative_tokens, negative_prompt_embeds.
#pragma once

#include "stages/stage.h"

namespace mxdit {

class EncodeText : public Stage {
 public:
  std::string name() const override { return "TextEncodingStage"; }
  bool once() const override { return true; }
  void run(const Components& components, const RunContext& context,
           RunState& state) const override;
};

}  // namespace mxdit
