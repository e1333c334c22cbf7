#include "progress_bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace mxdit::cli {
namespace {

constexpr size_t kNameWidth = 12;
constexpr size_t kWidestBar = 30;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool locale_is_utf8() {
  // The first one that is set counts, as for setlocale.
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = environment(name);
    if (value.empty()) continue;
    return value.find("UTF-8") != std::string::npos || value.find("utf8") != std::string::npos ||
           value.find("utf-8") != std::string::npos;
  }
  return false;
}

std::string repeated(std::string_view text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string numbers(const Progress& progress) {
  std::string text = std::to_string(progress.step);
  if (progress.total > 0) text.append("/").append(std::to_string(progress.total));
  if (progress.step > 0) text += "  " + duration_text(progress.step_seconds) + "/step";
  text += "  " + clock_text(progress.elapsed_seconds);
  if (const double left = remaining_seconds(progress); left >= 0 && progress.step < progress.total)
    text += "  left " + clock_text(left);
  return text;
}

}  // namespace

BarStyle bar_style() {
  BarStyle style;
  style.unicode = locale_is_utf8();
  style.colour = environment("NO_COLOR").empty() && environment("TERM") != "dumb";
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.columns = size.ws_col;
  return style;
}

std::string bar_text(const Progress& progress, const BarStyle& style) {
  const std::string name = padded(stage_text(progress), kNameWidth);
  const std::string tail = numbers(progress);
  const size_t used = name.size() + 2 + tail.size() + 1;
  const size_t width = style.columns > used ? std::min(kWidestBar, style.columns - used) : 0;
  if (width < 5) return (name + " " + tail).substr(0, style.columns > 0 ? style.columns - 1 : 0);
  const double part = progress.total > 0
                          ? static_cast<double>(progress.step) / static_cast<double>(progress.total)
                          : 0;
  const auto full = static_cast<size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(width));
  const std::string done = repeated(style.unicode ? "\u2501" : "#", full);
  const std::string rest = repeated(style.unicode ? "\u2500" : ".", width - full);
  if (!style.colour) return name + " " + done + rest + " " + tail;
  return name + " \x1b[32m" + done + "\x1b[0m\x1b[2m" + rest + "\x1b[0m " + tail;
}

BarDisplay::BarDisplay(const Console& console, const BarStyle& style)
    : console_(console), style_(style), ticker_([this] { tick(); }) {}

BarDisplay::~BarDisplay() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (running_) console_.err << std::endl;
  }
  stop_.notify_all();
  ticker_.join();
}

void BarDisplay::erase() {
  if (running_) console_.err << "\r\x1b[K";
}

void BarDisplay::draw() {
  Progress shown = progress_;
  shown.elapsed_seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - updated_).count();
  console_.err << "\r" << bar_text(shown, style_) << "\x1b[K" << std::flush;
}

void BarDisplay::update(const Progress& progress) {
  const std::lock_guard lock(mutex_);
  erase();
  progress_ = progress;
  updated_ = std::chrono::steady_clock::now();
  running_ = progress.event != Progress::Event::stage_end;
  if (running_) {
    draw();
    return;
  }
  const std::string count = progress.total > 1 ? std::to_string(progress.total) + " steps, " : "";
  console_.err << padded(stage_text(progress), kNameWidth) << " " << count
               << duration_text(progress.elapsed_seconds) << std::endl;
}

void BarDisplay::message(const std::string& line) {
  const std::lock_guard lock(mutex_);
  erase();
  console_.err << line << std::endl;
  if (running_) draw();
}

void BarDisplay::file(const std::string& path, const GeneratedVideo&) {
  const std::lock_guard lock(mutex_);
  erase();
  console_.err << std::flush;
  console_.out << path << std::endl;
  if (running_) draw();
}

void BarDisplay::tick() {
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, std::chrono::milliseconds(500), [this] { return stopping_; }))
    if (running_) draw();
}

}  // namespace mxdit::cli
