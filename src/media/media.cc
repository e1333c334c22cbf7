#include "mxdit/media.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.h"
#include "media/atomic_output.h"
#include "media/ffmpeg.h"
#include "media/gif_writer.h"
#include "media/mp4_writer.h"
#include "media/output_format.h"
#include "media/png_writer.h"

namespace mxdit {
namespace {

using media::OutputFormat;

constexpr int kLargestSide = 16384;  // H.264's and GIF's limits are near

void check_video(const std::string& path, const Video& video) {
  if (video.width < 1 || video.height < 1 || video.width > kLargestSide ||
      video.height > kLargestSide)
    fail(ErrorKind::usage, "[media] ", path, ": expected a frame of 1x1 to ", kLargestSide, "x",
         kLargestSide, ", got ", video.width, "x", video.height);
  if (video.frames < 1)
    fail(ErrorKind::usage, "[media] ", path, ": expected at least one frame, got ", video.frames);
  if (!std::isfinite(video.fps) || video.fps < 0.01 || video.fps > 1000)
    fail(ErrorKind::usage, "[media] ", path, ": expected 0.01 to 1000 frames per second, got ",
         video.fps);
  const size_t expected = size_t{3} * static_cast<size_t>(video.width) *
                          static_cast<size_t>(video.height) * static_cast<size_t>(video.frames);
  if (video.rgb.size() != expected)
    fail(ErrorKind::usage, "[media] ", path, ": expected ", expected, " bytes of RGB for ",
         video.width, "x", video.height, "x", video.frames, ", got ", video.rgb.size());
}

void write_folder(const std::string& path, const Video& video, const MediaMetadata& metadata) {
  media::TemporaryFolder folder(path);
  media::write_frames(folder.path(), path, video, metadata);
  folder.commit();
}

std::string read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(ErrorKind::not_found, "[media] ", path, ": expected a readable file, got none");
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

MediaMetadata read_metadata(const std::string& path) {
  if (std::filesystem::is_directory(path))
    return read_metadata((std::filesystem::path(path) / "frame_0000.png").string());
  // By content: a file may have been renamed.
  std::ifstream in(path, std::ios::binary);
  char magic[8] = {};
  in.read(magic, sizeof(magic));
  const std::string start(magic, sizeof(magic));
  if (start.rfind("GIF8", 0) == 0) return media::read_gif_metadata(read_bytes(path));
  if (start == "\x89PNG\r\n\x1a\n") return media::read_png_metadata(read_bytes(path));
  if (!in) read_bytes(path);
  return media::read_mp4_metadata(path);
}

}  // namespace

void write_video(const std::string& path, const Video& video, const MediaMetadata& metadata,
                 const VideoEncoding& encoding) {
  const media::LogCapture silence;
  const OutputFormat format = media::output_format(path);
  check_video(path, video);
  if (format == OutputFormat::frame_folder) return write_folder(path, video, metadata);
  if (format == OutputFormat::png && video.frames != 1)
    fail(ErrorKind::usage, "[media] ", path, ": expected one frame for a .png file, got ",
         video.frames, "; a name without extension makes a folder of frames");
  media::TemporaryFile file(path);
  switch (format) {
    case OutputFormat::mp4:
      media::write_mp4(file.path(), path, video, metadata, encoding);
      break;
    case OutputFormat::gif:
      media::write_gif(file.path(), path, video, metadata);
      break;
    default:
      media::write_png(file.path(), path, video, 0, metadata);
  }
  file.commit();
}

void check_video_path(const std::string& path) {
  if (media::output_format(path) == OutputFormat::frame_folder)
    media::probe_folder(path);
  else
    media::probe_file(path);
}

MediaMetadata read_video_metadata(const std::string& path) {
  const media::LogCapture silence;
  MediaMetadata metadata = read_metadata(path);
  if (metadata.empty())
    fail(ErrorKind::bad_input, "[media] ", path, ": expected metadata of mxdit, got none");
  return metadata;
}

}  // namespace mxdit
