#include "media/file_estimate.h"

#include <cmath>

#include "media/mp4_writer.h"

namespace mxdit::media {

uint64_t writing_memory(int64_t width, int64_t height) {
  constexpr uint64_t kAlways = uint64_t{16} << 20, kPerPixel = 280;
  return kAlways + kPerPixel * static_cast<uint64_t>(width * height);
}

uint64_t typical_file_bytes(int64_t width, int64_t height, int64_t frames,
                            const VideoEncoding& encoding) {
  constexpr double kBits = 0.25, kStepsToDouble = 6;
  constexpr uint64_t kContainer = 4096;
  const int steps = crf_of_quality(VideoEncoding().quality) - crf_of_quality(encoding.quality);
  const double pixels =
      static_cast<double>(width) * static_cast<double>(height) * static_cast<double>(frames);
  return kContainer + static_cast<uint64_t>(pixels * kBits / 8 * std::exp2(steps / kStepsToDouble));
}

}  // namespace mxdit::media
