// A pipeline: the list of stages its spec names, run for every video of a request.
//
// Specs are data (pipeline.cc): the pipeline class a checkpoint states -> its stages.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stages/stage.h"

namespace mxdit {

class Pipeline {
 public:
  // By `_class_name` of model_index.json. Error{unsupported} for an unknown class, with the known
  // ones.
  static Pipeline make(const std::string& class_name, const std::string& file);

  // Called when the frames of a video are in `state`.
  using VideoSink = std::function<void(RunState& state)>;

  // Runs all stages; state.params is filled, everything else is written here. With
  // params.from_latents_path only decoding runs.
  void run(const Components& components, const RunContext& context, RunState& state,
           const VideoSink& sink) const;

 private:
  void run_stage(const Stage& stage, const Components& components, const RunContext& context,
                 RunState& state) const;
  std::vector<std::unique_ptr<Stage>> stages_;
};

}  // namespace mxdit
