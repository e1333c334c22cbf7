// One video stream, encoded and muxed into a file: what the mp4 and the GIF writer share.
#pragma once

#include <map>
#include <string>

#include "media/ffmpeg.h"

namespace mxdit::media {

struct MovieSettings {
  const char* muxer = nullptr;    // libavformat's short name
  const char* encoder = nullptr;  // libavcodec's name; a missing one is Error{unsupported}
  AVPixelFormat pixel_format = AV_PIX_FMT_NONE;
  int width = 0, height = 0;
  AVRational fps{0, 1};
  AVColorSpace colorspace = AVCOL_SPC_UNSPECIFIED;
  int threads = 1;
  std::map<std::string, std::string> encoder_options, muxer_options, metadata;
};

class MovieFile {
 public:
  // `file` is written; `name` is what errors call it.
  MovieFile(const std::string& file, const std::string& name, const MovieSettings& settings);
  ~MovieFile();
  MovieFile(const MovieFile&) = delete;
  MovieFile& operator=(const MovieFile&) = delete;

  // Frames are numbered in the order of the calls.
  void encode(AVFrame* frame);
  // Flushes and closes; every error of the file system has shown up after this.
  void finish();

 private:
  void open_encoder(const MovieSettings& settings);
  void open_muxer(const std::string& file, const MovieSettings& settings);
  void send(const AVFrame* frame);

  std::string name_;
  FfmpegPtr<AVCodecContext> codec_;
  FfmpegPtr<AVPacket> packet_;
  AVFormatContext* format_ = nullptr;
  AVStream* stream_ = nullptr;
  int64_t next_frame_ = 0;
};

}  // namespace mxdit::media
