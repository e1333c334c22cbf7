// One step of a pipeline.
#pragma once

#include <string>

#include "stages/run_state.h"

namespace mxdit {

class Stage {
 public:
  virtual ~Stage() = default;
  // The reference system's name, used in reports: "TextEncodingStage", "DenoisingStage", ...
  virtual std::string name() const = 0;
  // Whether it runs once per call rather than once per video.
  virtual bool once() const { return false; }
  virtual void run(const Components& components, const RunContext& context,
                   RunState& state) const = 0;
};

// Reports begin, steps and end of a stage with times. `step` may be called from the stage's thread
// only.
class StageProgress {
 public:
  StageProgress(const RunContext& context, std::string stage, int64_t total);
  void step(int64_t done);
  // For stages that learn their number of units only when they run.
  void step(int64_t done, int64_t total) {
    total_ = total;
    step(done);
  }
  void end();
  double last_step_seconds() const { return last_step_; }

 private:
  void send(Progress::Event event, int64_t done) const;
  const RunContext& context_;
  std::string stage_;
  int64_t total_;
  double begin_, last_mark_, last_step_ = 0;
};

// Seconds of a steady clock.
double now_seconds();

}  // namespace mxdit
