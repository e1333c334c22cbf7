#include "mxdit/media.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.h"
#include "media/decode_testing.h"
#include "media/mp4_writer.h"

namespace fs = std::filesystem;

namespace mxdit::media {
namespace {

using Colour3 = std::array<uint8_t, 3>;

class MediaTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "mxdit-media-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string bytes(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

  fs::path folder_;
  const MediaMetadata metadata_{{"prompt",
                                 "a r\xc3\xa4"
                                 "d square\nmoving \"left\""},
                                {"seed", "42"},
                                {"model_hash", std::string(64, 'a')},
                                {"settings", std::string(900, 's')}};
};

TEST_F(MediaTest, Mp4HasFramesSpeedColoursAndMetadata) {
  const Video video = test_video(64, 48, 13);
  write_video(path("a.mp4"), video, metadata_, {100});
  const DecodedVideo read = decode_video(path("a.mp4"));
  EXPECT_EQ(read.codec, AV_CODEC_ID_H264);
  EXPECT_EQ(read.pixel_format, AV_PIX_FMT_YUV420P);
  EXPECT_EQ(read.colorspace, AVCOL_SPC_SMPTE170M);
  EXPECT_EQ(read.video.frames, 13);
  EXPECT_EQ(av_cmp_q(read.fps, {16, 1}), 0);
  EXPECT_GT(psnr(video, read.video), 34);
  EXPECT_EQ(read_video_metadata(path("a.mp4")), metadata_);
  EXPECT_EQ(files(), 1u);
}

TEST_F(MediaTest, Mp4IsReadableFromItsStart) {
  write_video(path("a.mp4"), test_video(64, 48, 5), metadata_);
  const std::string content = bytes("a.mp4");
  EXPECT_LT(content.find("moov"), content.find("mdat"));
}

TEST_F(MediaTest, LargeFramesUseTheMatrixOfHighDefinition) {
  const Video video = test_video(1280, 720, 2);
  write_video(path("a.mp4"), video, {}, {90});
  const DecodedVideo read = decode_video(path("a.mp4"));
  EXPECT_EQ(read.colorspace, AVCOL_SPC_BT709);
  EXPECT_GT(psnr(video, read.video), 38);
}

TEST_F(MediaTest, FlatColoursStayWithinRounding) {
  for (const auto& colour : {Colour3{255, 0, 0}, Colour3{0, 255, 0}, Colour3{20, 60, 200}}) {
    Video video{32, 32, 2, 16, {}};
    for (int i = 0; i < 32 * 32 * 2; ++i)
      video.rgb.insert(video.rgb.end(), colour.begin(), colour.end());
    write_video(path("flat.mp4"), video, {}, {100});
    const DecodedVideo read = decode_video(path("flat.mp4"));
    for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(read.video.rgb[3 * 500 + c], colour[c], 3);
  }
}

TEST_F(MediaTest, SameInputGivesSameBytes) {
  const Video video = test_video(66, 50, 20);
  for (const char* name : {"x.mp4", "x.gif"}) {
    write_video(path(name), video, metadata_);
    const std::string first = bytes(name);
    write_video(path(name), video, metadata_);
    EXPECT_EQ(first, bytes(name)) << name;
  }
}

TEST_F(MediaTest, OddSizesArePaddedInMp4Only) {
  const Video video = test_video(33, 17, 3);
  write_video(path("odd.mp4"), video, metadata_);
  const DecodedVideo mp4 = decode_video(path("odd.mp4"));
  EXPECT_EQ(mp4.video.width, 34);
  EXPECT_EQ(mp4.video.height, 18);
  EXPECT_EQ(mp4.video.frames, 3);
  write_video(path("odd.gif"), video, metadata_);
  EXPECT_EQ(decode_video(path("odd.gif")).video.width, 33);
  write_video(path("odd"), video, metadata_);
  EXPECT_EQ(decode_video(path("odd/frame_0002.png")).video.height, 17);
}

TEST_F(MediaTest, OneFrameAndTinyFramesWork) {
  for (const char* name : {"one.mp4", "one.gif", "one.png", "one", "two/"}) {
    const Video video = test_video(16, 16, 1);
    write_video(path(name), video, metadata_);
    EXPECT_EQ(read_video_metadata(path(name)), metadata_) << name;
  }
  EXPECT_EQ(decode_video(path("one.mp4")).video.frames, 1);
  EXPECT_EQ(decode_video(path("one.gif")).video.frames, 1);
  write_video(path("dot.mp4"), test_video(1, 1, 1), {});
  EXPECT_EQ(decode_video(path("dot.mp4")).video.width, 2);
}

TEST_F(MediaTest, SpeedsBecomeFractions) {
  struct Case {
    double fps;
    AVRational expected;
  };
  for (const Case& c : {Case{24, {24, 1}}, Case{23.976, {24000, 1001}}, Case{29.97, {30000, 1001}},
                        Case{12.5, {25, 2}}, Case{0.5, {1, 2}}, Case{15.984, {16000, 1001}}}) {
    EXPECT_EQ(av_cmp_q(rational_fps(c.fps), c.expected), 0) << c.fps;
    write_video(path("fps.mp4"), test_video(32, 32, 6, c.fps), {});
    const DecodedVideo read = decode_video(path("fps.mp4"));
    EXPECT_EQ(read.video.frames, 6);
    EXPECT_NEAR(av_q2d(read.fps), c.fps, 1e-3 * c.fps);
  }
}

TEST_F(MediaTest, GifKeepsColoursLoopAndMetadata) {
  const Video video = test_video(64, 64, 13);
  write_video(path("a.gif"), video, metadata_);
  const DecodedVideo read = decode_video(path("a.gif"));
  EXPECT_EQ(read.video.frames, 13);
  EXPECT_GT(psnr(video, read.video), 27);
  EXPECT_EQ(read_video_metadata(path("a.gif")), metadata_);
  EXPECT_NE(bytes("a.gif").find("NETSCAPE2.0"), std::string::npos);
}

TEST_F(MediaTest, GifOfFewColoursIsExact) {
  Video video{40, 40, 4, 10, {}};
  for (int i = 0; i < 40 * 40 * 4; ++i)
    for (int c = 0; c < 3; ++c) video.rgb.push_back((i / 7 + i / 40 + c) % 3 == 0 ? 251 : 3);
  write_video(path("few.gif"), video, {});
  EXPECT_EQ(psnr(video, decode_video(path("few.gif")).video), 200);
}

TEST_F(MediaTest, FramesAreExactAndReplaceFramesOnly) {
  write_video(path("frames"), test_video(20, 20, 5), metadata_);
  const Video video = test_video(21, 19, 3);
  write_video(path("frames"), video, metadata_);
  EXPECT_FALSE(fs::exists(path("frames/frame_0003.png")));
  const DecodedVideo read = decode_video(path("frames/frame_0000.png"));
  EXPECT_TRUE(std::equal(read.video.rgb.begin(), read.video.rgb.end(), video.rgb.begin()));
  EXPECT_EQ(read_video_metadata(path("frames")), metadata_);
  std::ofstream(path("frames/notes.txt")) << "mine";
  EXPECT_THROW(write_video(path("frames"), video, metadata_), Error);
  EXPECT_TRUE(fs::exists(path("frames/notes.txt")));
  EXPECT_EQ(files(), 1u);
}

TEST_F(MediaTest, MissingFoldersAreMade) {
  write_video(path("a/b/c.mp4"), test_video(16, 16, 1), {});
  EXPECT_TRUE(fs::exists(path("a/b/c.mp4")));
}

TEST(Mp4Writer, QualityFollowsTheReference) {
  EXPECT_EQ(crf_of_quality(50), 25);
  EXPECT_EQ(crf_of_quality(90), 5);
  EXPECT_EQ(crf_of_quality(55), 22);
  EXPECT_EQ(crf_of_quality(35), 33);
  EXPECT_EQ(crf_of_quality(100), 1);
  EXPECT_EQ(crf_of_quality(0), 51);
}

}  // namespace
}  // namespace mxdit::media
