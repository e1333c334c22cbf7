// FFmpeg's C interface with owners, errors and silence.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

namespace mxdit::media {

struct FfmpegDelete {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};
template <typename T>
using FfmpegPtr = std::unique_ptr<T, FfmpegDelete>;

// While one lives, what FFmpeg would log in this thread is kept and what it would log in any other
// thread is dropped; outside of them FFmpeg logs as its host wants.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  // The last messages, on one line; empty when there were none.
  static std::string text();
};

// Throws Error{io} "[media] NAME: STEP: expected success, got REASON (FFmpeg's log)" for a negative
// result, Error{out_of_memory} for AVERROR(ENOMEM); hands other results through.
int check_av(int result, const std::string& name, const char* step);

// Throws Error{out_of_memory} for a null pointer that an allocation of FFmpeg returned.
void check_allocated(const void* pointer, const std::string& name);

// A frame with its own memory.
FfmpegPtr<AVFrame> make_frame(int width, int height, AVPixelFormat format, const std::string& name);

// 16 -> 16/1, 23.976 -> 24000/1001; others to a denominator of at most 1001000.
AVRational rational_fps(double fps);

}  // namespace mxdit::media
