#include "conversion/stage_progress.h"

namespace mxdit::conversion {

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

}  // namespace

StageProgress::StageProgress(const ProgressSink& sink, const std::string& stage,
                             uint64_t total_bytes)
    : sink_(sink) {
  state_.event = Progress::Event::stage_begin;
  state_.stage = stage;
  state_.total = static_cast<int64_t>((total_bytes + kMiB - 1) / kMiB);
  emit();
  state_.event = Progress::Event::step;
}

void StageProgress::add(uint64_t bytes) {
  bytes_ += bytes;
  const auto step = static_cast<int64_t>(bytes_ / kMiB);
  if (step == state_.step) return;
  const double before = state_.elapsed_seconds;
  const int64_t steps = step - state_.step;
  state_.step = step;
  state_.elapsed_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  state_.step_seconds = (state_.elapsed_seconds - before) / static_cast<double>(steps);
  emit();
}

void StageProgress::end() {
  state_.event = Progress::Event::stage_end;
  state_.step = state_.total;
  emit();
}

void StageProgress::emit() {
  state_.elapsed_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  if (sink_) sink_(state_);
}

}  // namespace mxdit::conversion
