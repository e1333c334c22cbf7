// Reads files back for the tests, through libavformat.
#pragma once

#include <string>

#include "media/ffmpeg.h"
#include "mxdit/media.h"

namespace mxdit::media {

struct DecodedVideo {
  Video video;
  AVRational fps{0, 1};
  AVPixelFormat pixel_format = AV_PIX_FMT_NONE;
  AVCodecID codec = AV_CODEC_ID_NONE;
  AVColorSpace colorspace = AVCOL_SPC_UNSPECIFIED;
};

// Frames as RGB, by the colour space that the file is tagged with.
DecodedVideo decode_video(const std::string& path);

// Peak signal-to-noise ratio in dB; the pictures are equal in size.
double psnr(const Video& a, const Video& b);

// A moving gradient with a coloured square: nothing that a codec gets for free.
Video test_video(int width, int height, int frames, double fps = 16);

}  // namespace mxdit::media
