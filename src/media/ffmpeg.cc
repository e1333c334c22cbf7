#include "media/ffmpeg.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdarg>
#include <mutex>

#include "core/error.h"

namespace mxdit::media {
namespace {

std::atomic<int> live_captures{0};
thread_local int captures_here = 0;
thread_local std::string captured;

void log_callback(void* context, int level, const char* format, va_list arguments) {
  if (live_captures.load() == 0) {
    av_log_default_callback(context, level, format, arguments);
    return;
  }
  if (captures_here == 0 || level > AV_LOG_ERROR) return;
  char line[512];
  int prefix = 1;
  av_log_format_line(context, level, format, arguments, line, sizeof(line), &prefix);
  captured += line;
  if (captured.size() > 2000) captured.erase(0, captured.size() - 2000);
}

}  // namespace

LogCapture::LogCapture() {
  static std::once_flag installed;
  std::call_once(installed, [] { av_log_set_callback(log_callback); });
  if (captures_here++ == 0) captured.clear();
  ++live_captures;
}

LogCapture::~LogCapture() {
  --live_captures;
  --captures_here;
}

std::string LogCapture::text() {
  std::string line = captured;
  while (!line.empty() && line.back() == '\n') line.pop_back();
  std::replace(line.begin(), line.end(), '\n', ';');
  return line;
}

int check_av(int result, const std::string& name, const char* step) {
  if (result >= 0) return result;
  char reason[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(result, reason, sizeof(reason));
  const std::string log = LogCapture::text();
  const ErrorKind kind = result == AVERROR(ENOMEM) ? ErrorKind::out_of_memory : ErrorKind::io;
  fail(kind, "[media] ", name, ": ", step, ": expected success, got ", reason,
       log.empty() ? "" : " (" + log + ")");
}

void check_allocated(const void* pointer, const std::string& name) {
  if (pointer == nullptr)
    fail(ErrorKind::out_of_memory, "[media] ", name, ": expected memory for a frame, got none");
}

FfmpegPtr<AVFrame> make_frame(int width, int height, AVPixelFormat format,
                              const std::string& name) {
  FfmpegPtr<AVFrame> frame(av_frame_alloc());
  check_allocated(frame.get(), name);
  frame->width = width;
  frame->height = height;
  frame->format = format;
  check_av(av_frame_get_buffer(frame.get(), 0), name, "allocating a frame");
  return frame;
}

AVRational rational_fps(double fps) {
  const double whole = std::round(fps * 1.001);
  const bool is_ntsc =
      std::abs(whole / 1.001 - fps) < 1e-3 && std::abs(fps - std::round(fps)) > 1e-3;
  if (is_ntsc) return {static_cast<int>(whole) * 1000, 1001};
  return av_d2q(fps, 1001000);
}

}  // namespace mxdit::media
