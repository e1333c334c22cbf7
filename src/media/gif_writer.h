// GIF: one palette for the whole clip, endless loop, the metadata as JSON in a comment block.
#pragma once

#include <string>

#include "mxdit/media.h"

namespace mxdit::media {

void write_gif(const std::string& file, const std::string& name, const Video& video,
               const MediaMetadata& metadata);

// Of the bytes of a whole file; empty when there is none.
MediaMetadata read_gif_metadata(const std::string& bytes);

}  // namespace mxdit::media
