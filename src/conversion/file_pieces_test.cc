#include "conversion/file_pieces.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "io/expect_error.h"
#include "io/temporary_folder.h"

namespace mxdit::conversion {
namespace {

namespace fs = std::filesystem;

std::string pattern(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

std::string content(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

TEST(FilePieces, ReadsARangeInPieces) {
  TemporaryFolder folder;
  const std::string text = pattern(2 * kPieceBytes + 100);
  PieceReader reader(folder.write("a", text));
  EXPECT_EQ(reader.file_bytes(), text.size());
  std::string got;
  std::vector<size_t> sizes;
  reader.read(
      50, 2 * kPieceBytes + 10,
      [&](const uint8_t* data, size_t bytes) {
        got.append(reinterpret_cast<const char*>(data), bytes);
        sizes.push_back(bytes);
      },
      nullptr);
  EXPECT_TRUE(got == text.substr(50, 2 * kPieceBytes + 10));
  EXPECT_EQ(sizes, (std::vector<size_t>{kPieceBytes, kPieceBytes, 10}));
}

TEST(FilePieces, NamesAFileThatBecameShorter) {
  TemporaryFolder folder;
  const fs::path file = folder.write("a", pattern(100));
  PieceReader reader(file);
  fs::resize_file(file, 60);
  expect_error(ErrorKind::io, {file.string() + ": expected 90 bytes at 10, got 50"}, [&] {
    reader.read(
        10, 90, [](const uint8_t*, size_t) {}, nullptr);
  });
}

TEST(FilePieces, CopiesWithContentAndTime) {
  TemporaryFolder folder;
  const std::string text = pattern(kPieceBytes + 3);
  const fs::path from = folder.write("a", text), to = folder / "b";
  const auto time = fs::last_write_time(from) - std::chrono::hours(5);
  fs::last_write_time(from, time);
  size_t copied = 0;
  copy_file_in_pieces(
      from, to, [&](size_t bytes) { copied += bytes; }, nullptr);
  EXPECT_TRUE(content(to) == text);
  EXPECT_EQ(copied, text.size());
  EXPECT_EQ(fs::last_write_time(to), time);
}

TEST(FilePieces, ACancelledCopyLeavesNothing) {
  TemporaryFolder folder;
  const fs::path from = folder.write("a", pattern(3 * kPieceBytes));
  CancelToken cancel;
  expect_error(ErrorKind::cancelled, {"stopped"}, [&] {
    copy_file_in_pieces(
        from, folder / "b", [&](size_t) { cancel.cancel(); }, &cancel);
  });
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace mxdit::conversion
