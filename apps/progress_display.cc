#include "progress_display.h"

#include <cmath>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string_view>

#include "progress_bar.h"

namespace mxdit::cli {
namespace {

// Plain lines: at least so often, and at most so often.
constexpr double kPlainSeconds = 5;
constexpr double kFastestSeconds = 1;

std::string dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

class SilentDisplay : public ProgressDisplay {
 public:
  explicit SilentDisplay(const Console& console) : console_(console) {}
  void update(const Progress&) override {}
  void message(const std::string& line) override {
    const std::lock_guard lock(mutex_);
    console_.err << line << std::endl;
  }
  void file(const std::string& path, const GeneratedVideo&) override {
    const std::lock_guard lock(mutex_);
    console_.out << path << std::endl;
  }

 protected:
  Console console_;
  std::mutex mutex_;
};

// A line when a stage begins and ends, and in between after every tenth or every few seconds, but
// never more than one in a second.
class PlainDisplay : public SilentDisplay {
 public:
  using SilentDisplay::SilentDisplay;

  void update(const Progress& progress) override {
    const std::lock_guard lock(mutex_);
    if (progress.event == Progress::Event::stage_begin) {
      last_tenth_ = 0;
      last_seconds_ = 0;
      console_.err << stage_text(progress) << ": begins" << std::endl;
    } else if (progress.event == Progress::Event::stage_end) {
      console_.err << stage_text(progress) << ": done in "
                   << duration_text(progress.elapsed_seconds) << std::endl;
    } else if (is_due(progress)) {
      step_line(progress);
    }
  }

 private:
  bool is_due(const Progress& progress) {
    const int64_t tenth = progress.total > 0 ? progress.step * 10 / progress.total : 0;
    const double since = progress.elapsed_seconds - last_seconds_;
    const bool is_news = progress.step == 1 || tenth > last_tenth_;
    // The line for the end of the stage follows the last step.
    if (progress.step == progress.total || since < (is_news ? kFastestSeconds : kPlainSeconds))
      return false;
    last_tenth_ = tenth;
    last_seconds_ = progress.elapsed_seconds;
    return true;
  }

  void step_line(const Progress& progress) {
    console_.err << stage_text(progress) << ": " << progress.step;
    if (progress.total > 0) console_.err << '/' << progress.total;
    console_.err << ", " << duration_text(progress.step_seconds) << "/step, elapsed "
                 << clock_text(progress.elapsed_seconds);
    if (const double left = remaining_seconds(progress); left >= 0)
      console_.err << ", left " << clock_text(left);
    console_.err << std::endl;
  }

  int64_t last_tenth_ = 0;
  double last_seconds_ = 0;
};

// One JSON object per line on standard output, which carries nothing else then.
class JsonDisplay : public SilentDisplay {
 public:
  using SilentDisplay::SilentDisplay;

  void update(const Progress& progress) override {
    const char* event = progress.event == Progress::Event::stage_begin ? "stage_begin"
                        : progress.event == Progress::Event::stage_end ? "stage_end"
                                                                       : "step";
    const double left = remaining_seconds(progress);
    write({{"event", event},
           {"stage", progress.stage},
           {"video", progress.video},
           {"videos", progress.videos},
           {"step", progress.step},
           {"total", progress.total},
           {"step_seconds", progress.step_seconds},
           {"elapsed_seconds", progress.elapsed_seconds},
           {"eta_seconds", left < 0 ? nlohmann::json() : nlohmann::json(left)}});
  }
  void file(const std::string& path, const GeneratedVideo& video) override {
    write({{"event", "file"}, {"path", path}, {"prompt", video.prompt}, {"seed", video.seed}});
  }
  void error(const Error& error) override {
    write({{"event", "error"},
           {"message", error.what()},
           {"exit_status", exit_status(error.kind())}});
  }

 private:
  void write(const nlohmann::json& json) {
    const std::lock_guard lock(mutex_);
    console_.out << dump(json) << std::endl;
  }
};

}  // namespace

ProgressMode parse_progress_mode(const std::string& name) {
  if (name == "bar") return ProgressMode::bar;
  if (name == "plain") return ProgressMode::plain;
  if (name == "json") return ProgressMode::json;
  if (name == "none") return ProgressMode::none;
  return ProgressMode::automatic;
}

std::unique_ptr<ProgressDisplay> make_progress_display(ProgressMode mode, const Console& console) {
  if (mode == ProgressMode::automatic)
    mode = console.err_is_terminal ? ProgressMode::bar : ProgressMode::plain;
  switch (mode) {
    case ProgressMode::bar:
      return std::make_unique<BarDisplay>(console, bar_style());
    case ProgressMode::plain:
      return std::make_unique<PlainDisplay>(console);
    case ProgressMode::json:
      return std::make_unique<JsonDisplay>(console);
    default:
      return std::make_unique<SilentDisplay>(console);
  }
}

double remaining_seconds(const Progress& progress) {
  if (progress.event == Progress::Event::stage_end) return 0;
  if (progress.step < 1 || progress.total < progress.step) return -1;
  return progress.elapsed_seconds / static_cast<double>(progress.step) *
         static_cast<double>(progress.total - progress.step);
}

std::string stage_text(const Progress& progress) {
  if (progress.videos < 2) return progress.stage;
  return progress.stage + " " + std::to_string(progress.video + 1) + "/" +
         std::to_string(progress.videos);
}

std::string clock_text(double seconds) {
  const auto whole = std::llround(std::max(0.0, seconds));
  char text[40];
  if (whole >= 3600)
    std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60,
                  whole % 60);
  else
    std::snprintf(text, sizeof(text), "%lld:%02lld", whole / 60, whole % 60);
  return text;
}

std::string duration_text(double seconds) {
  char text[40];
  if (seconds < 0.9995)
    std::snprintf(text, sizeof(text), "%.3g ms", std::max(0.0, seconds) * 1000);
  else
    std::snprintf(text, sizeof(text), seconds < 99.95 ? "%.3g s" : "%.0f s", seconds);
  return text;
}

}  // namespace mxdit::cli
