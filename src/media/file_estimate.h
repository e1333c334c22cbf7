// What writing a video takes, before there is one.
#pragma once

#include <cstdint>

#include "mxdit/media.h"

namespace mxdit::media {

// Memory of the encoder beside the frames it is given. Of all formats .mp4 takes most: x264 keeps
// about 50 frames for its lookahead and references, in several planes. Measured with 81 and 161
// frames of 832x480 and 1280x720, moving patterns with and without noise: 246 to 270 bytes for each
// pixel of one frame; 64x64: 10 MB in all.
uint64_t writing_memory(int64_t width, int64_t height);

// Bytes of an .mp4 file. A rule of thumb, since they depend on what is shown: a quarter of a bit
// per pixel at the default quality (measured there: 0.015 for smooth patterns, 1.4 for noise),
// twice that for every 6 steps of x264's rate factor.
uint64_t typical_file_bytes(int64_t width, int64_t height, int64_t frames,
                            const VideoEncoding& encoding);

}  // namespace mxdit::media
