#include "media/png_writer.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"
#include "media/ffmpeg.h"

extern "C" {
#include <libavutil/crc.h>
}

namespace mxdit::media {
namespace {

constexpr size_t kSignature = 8;
constexpr size_t kHeaderEnd = kSignature + 25;  // signature and the IHDR chunk

std::string big_endian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

uint32_t read_big_endian(const std::string& bytes, size_t position) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[position + i]);
  return value;
}

uint32_t png_crc(const std::string& bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return ~av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), 0xFFFFFFFFu, data, bytes.size());
}

// Keyword, no compression, no language, no translated keyword, text (PNG specification, 11.3.3.4).
std::string text_chunk(const std::string& key, const std::string& value) {
  const std::string body = "iTXt" + key.substr(0, 79) + std::string(5, '\0') + value;
  return big_endian(static_cast<uint32_t>(body.size() - 4)) + body + big_endian(png_crc(body));
}

FfmpegPtr<AVCodecContext> open_encoder(const Video& video, const std::string& name) {
  const AVCodec* encoder = avcodec_find_encoder(AV_CODEC_ID_PNG);
  if (encoder == nullptr)
    fail(ErrorKind::unsupported, "[media] ", name,
         ": expected FFmpeg's encoder png, got a build of libavcodec without it");
  FfmpegPtr<AVCodecContext> codec(avcodec_alloc_context3(encoder));
  check_allocated(codec.get(), name);
  codec->width = video.width;
  codec->height = video.height;
  codec->pix_fmt = AV_PIX_FMT_RGB24;
  codec->time_base = {1, 1};
  codec->thread_count = 1;
  codec->flags |= AV_CODEC_FLAG_BITEXACT;
  check_av(avcodec_open2(codec.get(), encoder, nullptr), name, "opening the encoder");
  return codec;
}

std::string encode_png(const Video& video, int index, const std::string& name) {
  const auto codec = open_encoder(video, name);
  const auto frame = make_frame(video.width, video.height, AV_PIX_FMT_RGB24, name);
  const size_t row_bytes = static_cast<size_t>(video.width) * 3;
  const uint8_t* source = video.rgb.data() + static_cast<size_t>(index) * video.height * row_bytes;
  for (int y = 0; y < video.height; ++y)
    std::memcpy(frame->data[0] + static_cast<ptrdiff_t>(y) * frame->linesize[0],
                source + static_cast<size_t>(y) * row_bytes, row_bytes);
  FfmpegPtr<AVPacket> packet(av_packet_alloc());
  check_allocated(packet.get(), name);
  check_av(avcodec_send_frame(codec.get(), frame.get()), name, "encoding a frame");
  check_av(avcodec_receive_packet(codec.get(), packet.get()), name, "encoding a frame");
  return {reinterpret_cast<const char*>(packet->data), static_cast<size_t>(packet->size)};
}

void write_bytes(const std::string& file, const std::string& name, const std::string& bytes) {
  std::FILE* out = std::fopen(file.c_str(), "wb");
  const bool written =
      out != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), out) == bytes.size();
  const bool closed = out != nullptr && std::fclose(out) == 0;
  if (!written || !closed)
    fail(ErrorKind::io, "[media] ", name, ": writing a frame: expected success, got ",
         std::strerror(errno));
}

}  // namespace

void write_png(const std::string& file, const std::string& name, const Video& video, int frame,
               const MediaMetadata& metadata) {
  std::string bytes = encode_png(video, frame, name);
  std::string chunks;
  for (const auto& [key, value] : metadata)
    if (!key.empty()) chunks += text_chunk(key, value);
  bytes.insert(kHeaderEnd, chunks);
  write_bytes(file, name, bytes);
}

void write_frames(const std::string& folder, const std::string& name, const Video& video,
                  const MediaMetadata& metadata) {
  for (int i = 0; i < video.frames; ++i) {
    char file[32];
    std::snprintf(file, sizeof(file), "/frame_%04d.png", i);
    write_png(folder + file, name + file, video, i, metadata);
  }
}

MediaMetadata read_png_metadata(const std::string& bytes) {
  MediaMetadata metadata;
  size_t position = kSignature;
  while (bytes.size() - position >= 12) {
    const size_t length = read_big_endian(bytes, position);
    if (length > bytes.size() - position - 12) break;
    const std::string body = bytes.substr(position + 8, length);
    const size_t key_end = body.find('\0');
    const bool is_text = bytes.compare(position + 4, 4, "iTXt") == 0;
    // Only what write_png writes: uncompressed, without language.
    if (is_text && key_end != std::string::npos &&
        body.compare(key_end, 5, std::string(5, '\0')) == 0)
      metadata[body.substr(0, key_end)] = body.substr(key_end + 5);
    position += length + 12;
  }
  return metadata;
}

}  // namespace mxdit::media
