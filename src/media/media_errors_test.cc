#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "core/error.h"
#include "media/decode_testing.h"
#include "mxdit/media.h"

namespace fs = std::filesystem;

namespace mxdit::media {
namespace {

class MediaErrorsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "mxdit-media-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override {
    EXPECT_TRUE(fs::is_empty(folder_)) << "something was left behind";
    fs::remove_all(folder_);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  void expect_error(ErrorKind kind, const std::string& part, const std::function<void()>& call) {
    try {
      call();
      ADD_FAILURE() << "expected an error with: " << part;
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }

  fs::path folder_;
};

TEST_F(MediaErrorsTest, UnknownExtensions) {
  for (const char* name : {"a.avi", "a.mp4.bak", "a.MOV"}) {
    expect_error(ErrorKind::usage, ".mp4, .gif or .png",
                 [&] { write_video(path(name), test_video(16, 16, 1), {}); });
    expect_error(ErrorKind::usage, name, [&] { check_video_path(path(name)); });
  }
  expect_error(ErrorKind::usage, "empty", [&] { check_video_path(""); });
}

TEST_F(MediaErrorsTest, VideosThatAreNone) {
  Video video = test_video(16, 16, 2);
  expect_error(ErrorKind::usage, "one frame", [&] { write_video(path("a.png"), video, {}); });
  video.rgb.pop_back();
  expect_error(ErrorKind::usage, "bytes of RGB", [&] { write_video(path("a.mp4"), video, {}); });
  video.frames = 0;
  expect_error(ErrorKind::usage, "at least one frame",
               [&] { write_video(path("a.mp4"), video, {}); });
  video.width = 0;
  expect_error(ErrorKind::usage, "0x16", [&] { write_video(path("a.gif"), video, {}); });
  video = test_video(16, 16, 1);
  for (const double fps : {0.0, -1.0, 1e9, std::nan("")}) {
    video.fps = fps;
    expect_error(ErrorKind::usage, "frames per second",
                 [&] { write_video(path("a.gif"), video, {}); });
  }
}

TEST_F(MediaErrorsTest, PlacesThatCannotBeWritten) {
  const Video video = test_video(16, 16, 1);
  // Root may write anywhere but into these.
  for (const char* place :
       {"/proc/mxdit/a.mp4", "/proc/a.gif", "/dev/null/a.png", "/proc/frames"}) {
    expect_error(ErrorKind::io, place, [&] { check_video_path(place); });
    expect_error(ErrorKind::io, place, [&] { write_video(place, video, {}); });
  }
}

TEST_F(MediaErrorsTest, FilesAndFoldersAreNotMixedUp) {
  fs::create_directory(path("a.mp4"));
  expect_error(ErrorKind::io, "got a folder", [&] { check_video_path(path("a.mp4")); });
  expect_error(ErrorKind::io, "got a folder",
               [&] { write_video(path("a.mp4"), test_video(16, 16, 1), {}); });
  fs::remove(path("a.mp4"));
  std::ofstream(path("a")) << "x";
  expect_error(ErrorKind::io, "got a file", [&] { check_video_path(path("a")); });
  fs::remove(path("a"));
}

TEST_F(MediaErrorsTest, CheckingLeavesNothing) {
  check_video_path(path("new/folder/a.mp4"));
  check_video_path(path("frames"));
  check_video_path(path("frames/"));
}

TEST_F(MediaErrorsTest, LinksAreReplacedNotFollowed) {
  fs::create_symlink("/dev/full", path("full.mp4"));
  write_video(path("full.mp4"), test_video(16, 16, 1), {});
  EXPECT_FALSE(fs::is_symlink(path("full.mp4")));
  fs::remove(path("full.mp4"));
}

TEST_F(MediaErrorsTest, MetadataOfOtherFiles) {
  expect_error(ErrorKind::not_found, "none.mp4", [&] { read_video_metadata(path("none.mp4")); });
  std::ofstream(path("text.mp4")) << "not a video at all, but long enough";
  expect_error(ErrorKind::bad_input, "text.mp4", [&] { read_video_metadata(path("text.mp4")); });
  std::ofstream(path("text.mp4"), std::ios::trunc) << "GIF89a\x01";
  expect_error(ErrorKind::bad_input, "text.mp4", [&] { read_video_metadata(path("text.mp4")); });
  write_video(path("text.mp4"), test_video(16, 16, 1), {});
  expect_error(ErrorKind::bad_input, "got none", [&] { read_video_metadata(path("text.mp4")); });
  fs::remove(path("text.mp4"));
}

TEST_F(MediaErrorsTest, TruncatedFilesDoNotCrash) {
  for (const char* name : {"a.gif", "a.png", "a.mp4"}) {
    write_video(path(name), test_video(16, 16, 1), {{"prompt", "p"}, {"seed", "1"}});
    for (auto size = fs::file_size(path(name)); size > 0; size -= std::min<uintmax_t>(size, 7)) {
      fs::resize_file(path(name), size);
      try {
        read_video_metadata(path(name));
      } catch (const Error&) {
      }
    }
    fs::remove(path(name));
  }
}

}  // namespace
}  // namespace mxdit::media
