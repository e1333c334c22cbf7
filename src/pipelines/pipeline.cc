#include "pipelines/pipeline.h"

#include <algorithm>

#include "core/error.h"
#include "pipelines/memory_use.h"
#include "stages/decode.h"
#include "stages/denoise.h"
#include "stages/encode_text.h"
#include "stages/prepare_latents.h"

namespace mxdit {
namespace {

using StageFactory = std::unique_ptr<Stage> (*)();

template <typename T>
std::unique_ptr<Stage> make_stage() {
  return std::make_unique<T>();
}

struct PipelineSpec {
  const char* class_name;
  std::vector<StageFactory> stages;
};

const PipelineSpec kSpecs[] = {
    {"WanPipeline",
     {make_stage<EncodeText>, make_stage<PrepareLatents>, make_stage<Denoise>, make_stage<Decode>}},
};

// What a stage leaves idle when it ends, by an error or not.
struct IdleMemory {
  Backend& backend;
  ~IdleMemory() { backend.release_idle(); }
};

void add_time(RunReport& report, const std::string& name, double seconds) {
  const auto known = std::find_if(report.stages.begin(), report.stages.end(),
                                  [&](const StageTime& stage) { return stage.name == name; });
  if (known != report.stages.end()) {
    known->seconds += seconds;
  } else {
    report.stages.push_back({name, seconds});
  }
}

}  // namespace

Pipeline Pipeline::make(const std::string& class_name, const std::string& file) {
  std::string known;
  for (const PipelineSpec& spec : kSpecs) {
    if (class_name == spec.class_name) {
      Pipeline pipeline;
      for (const StageFactory factory : spec.stages) pipeline.stages_.push_back(factory());
      return pipeline;
    }
    known += (known.empty() ? "" : ", ") + std::string(spec.class_name);
  }
  fail(ErrorKind::unsupported, "[pipelines] ", file, ": _class_name: expected one of ", known,
       ", got \"", class_name, "\"");
}

void Pipeline::run_stage(const Stage& stage, const Components& components,
                         const RunContext& context, RunState& state) const {
  check_cancelled(context.cancel);
  const IdleMemory idle = {*components.backend};
  const double begin = now_seconds();
  stage.run(components, context, state);
  add_time(state.report, stage.name(), now_seconds() - begin);
  record_memory_use(state.report);
}

void Pipeline::run(const Components& components, const RunContext& context, RunState& state,
                   const VideoSink& sink) const {
  const bool decode_only = !state.params.from_latents_path.empty();
  const double begin = now_seconds();
  const auto wanted = [&](const Stage& stage) {
    return !decode_only || stage.name() == "DecodingStage";
  };
  for (const auto& stage : stages_)
    if (stage->once() && wanted(*stage)) run_stage(*stage, components, context, state);
  RunContext video_context = context;
  video_context.videos = static_cast<int>(state.params.videos());
  for (int64_t video = 0; video < state.params.videos(); ++video) {
    state.video = video;
    video_context.video = static_cast<int>(video);
    for (const auto& stage : stages_)
      if (!stage->once() && wanted(*stage)) run_stage(*stage, components, video_context, state);
    sink(state);
  }
  state.report.total_seconds = now_seconds() - begin;
}

}  // namespace mxdit
