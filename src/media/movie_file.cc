#include "media/movie_file.h"

#include "core/error.h"

namespace mxdit::media {
namespace {

class Dictionary {
 public:
  explicit Dictionary(const std::map<std::string, std::string>& entries) {
    for (const auto& [key, value] : entries)
      av_dict_set(&dictionary_, key.c_str(), value.c_str(), 0);
  }
  ~Dictionary() { av_dict_free(&dictionary_); }
  Dictionary(const Dictionary&) = delete;
  Dictionary& operator=(const Dictionary&) = delete;
  AVDictionary** get() { return &dictionary_; }
  AVDictionary* release() {
    AVDictionary* dictionary = dictionary_;
    dictionary_ = nullptr;
    return dictionary;
  }

 private:
  AVDictionary* dictionary_ = nullptr;
};

}  // namespace

MovieFile::MovieFile(const std::string& file, const std::string& name,
                     const MovieSettings& settings)
    : name_(name), packet_(av_packet_alloc()) {
  check_allocated(packet_.get(), name_);
  try {
    check_av(avformat_alloc_output_context2(&format_, nullptr, settings.muxer, nullptr), name_,
             "preparing the container");
    open_encoder(settings);
    open_muxer(file, settings);
  } catch (...) {
    if (format_ != nullptr) avio_closep(&format_->pb);
    avformat_free_context(format_);
    throw;
  }
}

MovieFile::~MovieFile() {
  avio_closep(&format_->pb);
  avformat_free_context(format_);
}

void MovieFile::open_encoder(const MovieSettings& settings) {
  const AVCodec* encoder = avcodec_find_encoder_by_name(settings.encoder);
  if (encoder == nullptr)
    fail(ErrorKind::unsupported, "[media] ", name_, ": expected FFmpeg's encoder ",
         settings.encoder, ", got a build of libavcodec without it");
  codec_.reset(avcodec_alloc_context3(encoder));
  check_allocated(codec_.get(), name_);
  codec_->width = settings.width;
  codec_->height = settings.height;
  codec_->pix_fmt = settings.pixel_format;
  codec_->framerate = settings.fps;
  codec_->time_base = av_inv_q(settings.fps);
  codec_->thread_count = settings.threads;
  if (settings.colorspace != AVCOL_SPC_UNSPECIFIED) {
    codec_->colorspace = settings.colorspace;
    codec_->color_primaries = AVCOL_PRI_BT709;
    codec_->color_trc = AVCOL_TRC_BT709;
    codec_->color_range = AVCOL_RANGE_MPEG;
  }
  if ((format_->oformat->flags & AVFMT_GLOBALHEADER) != 0)
    codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  codec_->flags |= AV_CODEC_FLAG_BITEXACT;
  Dictionary options(settings.encoder_options);
  check_av(avcodec_open2(codec_.get(), encoder, options.get()), name_, "opening the encoder");
}

void MovieFile::open_muxer(const std::string& file, const MovieSettings& settings) {
  stream_ = avformat_new_stream(format_, nullptr);
  check_allocated(stream_, name_);
  check_av(avcodec_parameters_from_context(stream_->codecpar, codec_.get()), name_,
           "describing the stream");
  stream_->time_base = codec_->time_base;
  stream_->avg_frame_rate = settings.fps;
  format_->metadata = Dictionary(settings.metadata).release();
  // No time stamps and versions: the same frames give the same bytes.
  format_->flags |= AVFMT_FLAG_BITEXACT;
  // "file:" since a name with a colon would be read as a protocol. faststart opens it again.
  const std::string url = "file:" + file;
  format_->url = av_strdup(url.c_str());
  check_allocated(format_->url, name_);
  check_av(avio_open(&format_->pb, url.c_str(), AVIO_FLAG_WRITE), name_, "opening the file");
  Dictionary options(settings.muxer_options);
  check_av(avformat_write_header(format_, options.get()), name_, "writing the header");
}

void MovieFile::send(const AVFrame* frame) {
  check_av(avcodec_send_frame(codec_.get(), frame), name_, "encoding a frame");
  for (;;) {
    const int result = avcodec_receive_packet(codec_.get(), packet_.get());
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
    check_av(result, name_, "encoding a frame");
    packet_->duration = 1;
    packet_->stream_index = stream_->index;
    av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_->time_base);
    check_av(av_interleaved_write_frame(format_, packet_.get()), name_, "writing a frame");
  }
}

void MovieFile::encode(AVFrame* frame) {
  frame->pts = next_frame_++;
  send(frame);
}

void MovieFile::finish() {
  send(nullptr);
  check_av(av_write_trailer(format_), name_, "finishing the file");
  avio_flush(format_->pb);
  const int pending = format_->pb->error;
  const int closed = avio_closep(&format_->pb);
  check_av(pending < 0 ? pending : closed, name_, "closing the file");
}

}  // namespace mxdit::media
