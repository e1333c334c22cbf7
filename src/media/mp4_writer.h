// mp4: H.264 in yuv420p, with the metadata as QuickTime keys.
#pragma once

#include <string>

#include "mxdit/media.h"

namespace mxdit::media {

// x264's constant rate factor for a quality: int(51 * (1 - quality / 100)), as the reference
// system's writer has it, but never 0, since lossless H.264 is a profile that players lack.
int crf_of_quality(int quality);

void write_mp4(const std::string& file, const std::string& name, const Video& video,
               const MediaMetadata& metadata, const VideoEncoding& encoding);

MediaMetadata read_mp4_metadata(const std::string& file);

}  // namespace mxdit::media
