#include "stages/stage.h"

#include <chrono>

namespace mxdit {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

StageProgress::StageProgress(const RunContext& context, std::string stage, int64_t total)
    : context_(context),
      stage_(std::move(stage)),
      total_(total),
      begin_(now_seconds()),
      last_mark_(begin_) {
  send(Progress::Event::stage_begin, 0);
}

void StageProgress::step(int64_t done) {
  const double now = now_seconds();
  last_step_ = now - last_mark_;
  last_mark_ = now;
  send(Progress::Event::step, done);
}

void StageProgress::end() { send(Progress::Event::stage_end, total_); }

void StageProgress::send(Progress::Event event, int64_t done) const {
  Progress progress;
  progress.event = event;
  progress.stage = stage_;
  progress.step = done;
  progress.total = total_;
  progress.step_seconds = last_step_;
  progress.elapsed_seconds = now_seconds() - begin_;
  progress.video = context_.video;
  progress.videos = context_.videos;
  context_.report(progress);
}

}  // namespace mxdit
