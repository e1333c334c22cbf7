#include "media/decode_testing.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mxdit::media {
namespace {

void append_rgb(const AVFrame& frame, Video* video) {
  const bool is_yuv = frame.format == AV_PIX_FMT_YUV420P;
  FfmpegPtr<SwsContext> scaler(sws_getContext(
      frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), frame.width,
      frame.height, AV_PIX_FMT_RGB24, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr,
      nullptr, nullptr));
  if (is_yuv) {
    const int* table = sws_getCoefficients(frame.colorspace);
    sws_setColorspaceDetails(scaler.get(), table, 0, table, 1, 0, 1 << 16, 1 << 16);
  }
  const size_t offset = video->rgb.size();
  const size_t bytes =
      size_t{3} * static_cast<size_t>(frame.width) * static_cast<size_t>(frame.height);
  // swscale's vector code may write past the end of a row.
  video->rgb.resize(offset + bytes + 64);
  uint8_t* planes[4] = {video->rgb.data() + offset};
  const int strides[4] = {frame.width * 3};
  sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height, planes, strides);
  video->rgb.resize(offset + bytes);
  video->width = frame.width;
  video->height = frame.height;
  ++video->frames;
}

}  // namespace

DecodedVideo decode_video(const std::string& path) {
  const LogCapture silence;
  DecodedVideo decoded;
  AVFormatContext* format = nullptr;
  check_av(avformat_open_input(&format, path.c_str(), nullptr, nullptr), path, "opening");
  avformat_find_stream_info(format, nullptr);
  const AVStream& stream = *format->streams[0];
  decoded.fps = stream.r_frame_rate;
  decoded.codec = stream.codecpar->codec_id;
  const AVCodec* decoder = avcodec_find_decoder(stream.codecpar->codec_id);
  FfmpegPtr<AVCodecContext> codec(avcodec_alloc_context3(decoder));
  avcodec_parameters_to_context(codec.get(), stream.codecpar);
  check_av(avcodec_open2(codec.get(), decoder, nullptr), path, "opening the decoder");
  FfmpegPtr<AVPacket> packet(av_packet_alloc());
  FfmpegPtr<AVFrame> frame(av_frame_alloc());
  bool more = true;
  while (more) {
    more = av_read_frame(format, packet.get()) >= 0;
    avcodec_send_packet(codec.get(), more ? packet.get() : nullptr);
    av_packet_unref(packet.get());
    while (avcodec_receive_frame(codec.get(), frame.get()) >= 0) {
      decoded.colorspace = frame->colorspace;
      decoded.pixel_format = static_cast<AVPixelFormat>(frame->format);
      append_rgb(*frame, &decoded.video);
    }
  }
  avformat_close_input(&format);
  return decoded;
}

double psnr(const Video& a, const Video& b) {
  EXPECT_EQ(a.rgb.size(), b.rgb.size());
  if (a.rgb.size() != b.rgb.size()) return 0;
  double squares = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    const double d = double{1} * a.rgb[i] - b.rgb[i];
    squares += d * d;
  }
  if (squares == 0) return 200;
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.rgb.size()) / squares);
}

Video test_video(int width, int height, int frames, double fps) {
  Video video{width, height, frames, fps, {}};
  for (int f = 0; f < frames; ++f)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const bool inside = x >= width / 4 && x < width / 2 && y >= height / 4 && y < height / 2;
        const auto ramp = static_cast<uint8_t>((x * 200 / width + f * 4) % 256);
        const auto other = static_cast<uint8_t>(y * 200 / height);
        const uint8_t pixel[3] = {inside ? uint8_t{230} : ramp, inside ? uint8_t{30} : other,
                                  inside ? uint8_t{40} : uint8_t{120}};
        video.rgb.insert(video.rgb.end(), pixel, pixel + 3);
      }
  return video;
}

}  // namespace mxdit::media
