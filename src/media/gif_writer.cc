#include "media/gif_writer.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "media/ffmpeg.h"
#include "media/movie_file.h"
#include "media/palette.h"

namespace mxdit::media {
namespace {

constexpr char kExtension = 0x21;
constexpr char kComment = static_cast<char>(0xFE);
constexpr char kImage = 0x2C;
constexpr char kTrailer = 0x3B;
constexpr char kPrefix[] = "mxdit ";

// The last colour stays free for "as in the frame before", which the encoder uses where it can.
constexpr size_t kColours = 255;

void set_palette(const Palette& palette, AVFrame* frame) {
  auto* entries = reinterpret_cast<uint32_t*>(frame->data[1]);
  std::fill(entries, entries + 256, 0xFF000000u);
  for (size_t i = 0; i < palette.colours.size(); ++i) {
    const Colour& c = palette.colours[i];
    entries[i] = 0xFF000000u | uint32_t{c[0]} << 16 | uint32_t{c[1]} << 8 | c[2];
  }
  entries[255] = 0;
}

std::string comment_block(const MediaMetadata& metadata) {
  const auto replace = nlohmann::json::error_handler_t::replace;
  const std::string text = kPrefix + nlohmann::json(metadata).dump(-1, ' ', false, replace);
  std::string block{kExtension, kComment};
  for (size_t i = 0; i < text.size(); i += 255) {
    const size_t length = std::min<size_t>(255, text.size() - i);
    block += static_cast<char>(length);
    block.append(text, i, length);
  }
  return block + '\0';
}

// FFmpeg's muxer writes no comments: this one replaces the closing byte and adds it again.
void append_comment(const std::string& file, const std::string& name,
                    const MediaMetadata& metadata) {
  const std::string tail = comment_block(metadata) + kTrailer;
  std::FILE* out = std::fopen(file.c_str(), "r+b");
  const bool written = out != nullptr && std::fseek(out, -1, SEEK_END) == 0 &&
                       std::fwrite(tail.data(), 1, tail.size(), out) == tail.size();
  const bool closed = out != nullptr && std::fclose(out) == 0;
  if (!written || !closed)
    fail(ErrorKind::io, "[media] ", name, ": writing the comment: expected success, got ",
         std::strerror(errno));
}

// Walks over the blocks of a file; positions past the end mean that it is cut short.
class BlockReader {
 public:
  explicit BlockReader(const std::string& bytes) : bytes_(bytes) {}

  bool has(size_t count) const { return bytes_.size() - position_ >= count; }
  uint8_t at(size_t offset) const { return static_cast<uint8_t>(bytes_[position_ + offset]); }
  void skip(size_t count) { position_ += std::min(count, bytes_.size() - position_); }
  void skip_colour_table(uint8_t flags) {
    if ((flags & 0x80) != 0) skip(size_t{3} << ((flags & 7) + 1));
  }
  std::string sub_blocks() {
    std::string data;
    while (has(1)) {
      const size_t length = std::min<size_t>(at(0), bytes_.size() - position_ - 1);
      const bool last = at(0) == 0;
      data.append(bytes_, position_ + 1, length);
      skip(1 + length);
      if (last) break;
    }
    return data;
  }

 private:
  const std::string& bytes_;
  size_t position_ = 0;
};

MediaMetadata parse_comment(const std::string& text) {
  const auto json = nlohmann::json::parse(text.substr(std::strlen(kPrefix)), nullptr, false);
  MediaMetadata metadata;
  if (!json.is_object()) return metadata;
  for (const auto& [key, value] : json.items())
    if (value.is_string()) metadata[key] = value.get<std::string>();
  return metadata;
}

}  // namespace

void write_gif(const std::string& file, const std::string& name, const Video& video,
               const MediaMetadata& metadata) {
  MovieSettings settings;
  settings.muxer = settings.encoder = "gif";
  settings.pixel_format = AV_PIX_FMT_PAL8;
  settings.width = video.width;
  settings.height = video.height;
  settings.fps = rational_fps(video.fps);
  settings.muxer_options = {{"loop", "0"}};
  const Palette palette = build_palette(video.rgb.data(), video.rgb.size() / 3, kColours);
  PaletteMapper mapper(palette);
  MovieFile movie(file, name, settings);
  const size_t frame_bytes = static_cast<size_t>(video.width) * video.height * 3;
  for (int i = 0; i < video.frames; ++i) {
    const auto frame = make_frame(video.width, video.height, AV_PIX_FMT_PAL8, name);
    set_palette(palette, frame.get());
    mapper.map(video.rgb.data() + i * frame_bytes, video.width, video.height, frame->data[0],
               frame->linesize[0]);
    movie.encode(frame.get());
  }
  movie.finish();
  append_comment(file, name, metadata);
}

MediaMetadata read_gif_metadata(const std::string& bytes) {
  BlockReader reader(bytes);
  if (!reader.has(13)) return {};
  const uint8_t screen_flags = reader.at(10);
  reader.skip(13);
  reader.skip_colour_table(screen_flags);
  while (reader.has(2)) {
    const char kind = static_cast<char>(reader.at(0));
    if (kind == kExtension) {
      const bool is_comment = static_cast<char>(reader.at(1)) == kComment;
      reader.skip(2);
      const std::string text = reader.sub_blocks();
      if (is_comment && text.rfind(kPrefix, 0) == 0) return parse_comment(text);
    } else if (kind == kImage && reader.has(11)) {
      const uint8_t image_flags = reader.at(9);
      reader.skip(10);
      reader.skip_colour_table(image_flags);
      reader.skip(1);  // LZW code size
      reader.sub_blocks();
    } else {
      break;
    }
  }
  return {};
}

}  // namespace mxdit::media
