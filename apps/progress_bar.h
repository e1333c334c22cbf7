// One bar per stage on a terminal, redrawn in place.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "progress_display.h"

namespace mxdit::cli {

struct BarStyle {
  bool unicode = true;
  bool colour = true;
  size_t columns = 80;
};

// By LC_ALL, LC_CTYPE, LANG, NO_COLOR, TERM and the width of the terminal.
BarStyle bar_style();

// One line without line break, at most `style.columns` - 1 columns wide.
std::string bar_text(const Progress& progress, const BarStyle& style);

class BarDisplay : public ProgressDisplay {
 public:
  BarDisplay(const Console& console, const BarStyle& style);
  // Leaves the cursor at the beginning of an empty line.
  ~BarDisplay() override;

  void update(const Progress& progress) override;
  void message(const std::string& line) override;
  void file(const std::string& path, const GeneratedVideo& video) override;

 private:
  void draw();
  void erase();
  void tick();

  Console console_;
  BarStyle style_;
  std::mutex mutex_;
  bool running_ = false;  // a stage is on the screen
  Progress progress_;
  std::chrono::steady_clock::time_point updated_;
  bool stopping_ = false;
  std::condition_variable stop_;
  std::thread ticker_;  // keeps the clock running while a step takes minutes
};

}  // namespace mxdit::cli
