#include "media/mp4_writer.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "media/ffmpeg.h"
#include "media/movie_file.h"

namespace mxdit::media {
namespace {

int round_up_to_even(int size) {
  return size + size % 2;
}

// The convention players fall back on where they ignore the tag.
AVColorSpace colorspace_of(int width, int height) {
  return width >= 1280 || height >= 720 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
}

class YuvConverter {
 public:
  YuvConverter(int width, int height, AVColorSpace colorspace, const std::string& name)
      : scaler_(sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P,
                               SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_BITEXACT,
                               nullptr, nullptr, nullptr)) {
    check_allocated(scaler_.get(), name);
    const int* table =
        sws_getCoefficients(colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_SMPTE170M);
    const int one = 1 << 16;
    check_av(sws_setColorspaceDetails(scaler_.get(), table, 1, table, 0, 0, one, one), name,
             "choosing the colour space");
  }

  void convert(const AVFrame& rgb, AVFrame* yuv) {
    sws_scale(scaler_.get(), rgb.data, rgb.linesize, 0, rgb.height, yuv->data, yuv->linesize);
  }

 private:
  FfmpegPtr<SwsContext> scaler_;
};

// Copies frame `index`, repeating the last column and row up to the size of `frame`.
void fill_padded(const Video& video, int index, AVFrame* frame) {
  const size_t row_bytes = static_cast<size_t>(video.width) * 3;
  const uint8_t* source = video.rgb.data() + static_cast<size_t>(index) * video.height * row_bytes;
  for (int y = 0; y < frame->height; ++y) {
    const uint8_t* row = source + static_cast<size_t>(std::min(y, video.height - 1)) * row_bytes;
    uint8_t* out = frame->data[0] + static_cast<ptrdiff_t>(y) * frame->linesize[0];
    std::memcpy(out, row, row_bytes);
    if (frame->width > video.width) std::memcpy(out + row_bytes, row + row_bytes - 3, 3);
  }
}

MovieSettings settings_for(const Video& video, const MediaMetadata& metadata, int quality) {
  MovieSettings settings;
  settings.muxer = "mp4";
  settings.encoder = "libx264";
  settings.pixel_format = AV_PIX_FMT_YUV420P;
  settings.width = round_up_to_even(video.width);
  settings.height = round_up_to_even(video.height);
  settings.fps = rational_fps(video.fps);
  settings.colorspace = colorspace_of(video.width, video.height);
  // x264's result depends on the number of threads, though not on their timing: so a fixed number.
  settings.threads = 4;
  settings.encoder_options = {{"preset", "medium"},
                              {"crf", std::to_string(crf_of_quality(quality))},
                              {"x264-params", "cpu-independent=1"}};
  settings.muxer_options = {{"movflags", "+faststart+use_metadata_tags"}};
  settings.metadata = metadata;
  return settings;
}

}  // namespace

int crf_of_quality(int quality) {
  return std::max(1, (100 - std::clamp(quality, 0, 100)) * 51 / 100);
}

void write_mp4(const std::string& file, const std::string& name, const Video& video,
               const MediaMetadata& metadata, const VideoEncoding& encoding) {
  const MovieSettings settings = settings_for(video, metadata, encoding.quality);
  MovieFile movie(file, name, settings);
  YuvConverter converter(settings.width, settings.height, settings.colorspace, name);
  const auto rgb = make_frame(settings.width, settings.height, AV_PIX_FMT_RGB24, name);
  const auto yuv = make_frame(settings.width, settings.height, AV_PIX_FMT_YUV420P, name);
  for (int i = 0; i < video.frames; ++i) {
    fill_padded(video, i, rgb.get());
    check_av(av_frame_make_writable(yuv.get()), name, "reusing a frame");
    converter.convert(*rgb, yuv.get());
    movie.encode(yuv.get());
  }
  movie.finish();
}

MediaMetadata read_mp4_metadata(const std::string& file) {
  AVFormatContext* format = nullptr;
  const int opened = avformat_open_input(&format, ("file:" + file).c_str(), nullptr, nullptr);
  if (opened < 0)
    fail(ErrorKind::bad_input, "[media] ", file, ": expected an mp4, GIF or PNG file, got ",
         LogCapture::text().empty() ? "something else" : LogCapture::text());
  MediaMetadata metadata;
  const AVDictionaryEntry* entry = nullptr;
  while ((entry = av_dict_get(format->metadata, "", entry, AV_DICT_IGNORE_SUFFIX)) != nullptr)
    metadata[entry->key] = entry->value;
  avformat_close_input(&format);
  // What every container says about itself.
  for (const char* key : {"major_brand", "minor_version", "compatible_brands", "encoder"})
    metadata.erase(key);
  return metadata;
}

}  // namespace mxdit::media
