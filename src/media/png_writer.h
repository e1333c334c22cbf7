// PNG: single frames and folders of them, the metadata as iTXt chunks (UTF-8) of every file.
#pragma once

#include <string>

#include "mxdit/media.h"

namespace mxdit::media {

void write_png(const std::string& file, const std::string& name, const Video& video, int frame,
               const MediaMetadata& metadata);

// Writes frame_0000.png, frame_0001.png ... into an existing folder.
void write_frames(const std::string& folder, const std::string& name, const Video& video,
                  const MediaMetadata& metadata);

// Of the bytes of a whole file; empty when there is none.
MediaMetadata read_png_metadata(const std::string& bytes);

}  // namespace mxdit::media
