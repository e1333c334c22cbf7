// Writing generated frames to files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mxdit {

// 8-bit RGB frames, row-major, frame after frame: rgb[((f * height + y) * width + x) * 3 + c].
struct Video {
  int width = 0;
  int height = 0;
  int frames = 0;
  double fps = 16;
  std::vector<uint8_t> rgb;
};

// Text stored inside the file (prompt, seed, model, settings), key -> value.
using MediaMetadata = std::map<std::string, std::string>;

struct VideoEncoding {
  // 0 (smallest) .. 100 (best), as --output-quality: maximum 100, high 90, medium 55, low 35.
  int quality = 50;
};

// The format follows the name: ".mp4" (H.264, yuv420p), ".gif", ".png" (one frame only), or no
// extension or a trailing '/' (a folder of frame_0000.png ...). Odd sizes are padded by one
// repeated row or column where yuv420p demands even ones. Atomic: the file appears complete or not
// at all. Throws Error{usage} for an unknown extension, Error{io} when it cannot be written.
void write_video(const std::string& path, const Video& video, const MediaMetadata& metadata,
                 const VideoEncoding& encoding = {});

// Whether write_video could write `path`: the extension is known and the folder exists, or can be
// made, and is writable. Throws as write_video does; for callers who want to know before a long
// run.
void check_video_path(const std::string& path);

// The metadata of a file that write_video wrote. Error{bad_input} when it holds none.
MediaMetadata read_video_metadata(const std::string& path);

}  // namespace mxdit
