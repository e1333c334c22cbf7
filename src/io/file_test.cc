#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "io/atomic_file.h"
#include "io/expect_error.h"
#include "io/mapped_file.h"
#include "io/resident_bytes.h"
#include "io/sha256.h"
#include "io/temporary_folder.h"

namespace mxdit {
namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

size_t files_in(const std::filesystem::path& folder) {
  const std::filesystem::directory_iterator all(folder);
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

TEST(MappedFile, OutlivesItsNameAndReadsEverything) {
  TemporaryFolder folder;
  const auto path = folder.write("a", "hello");
  const auto block = map_file(path);
  std::filesystem::remove(path);
  ASSERT_EQ(block->bytes(), 5u);
  EXPECT_EQ(std::memcmp(block->data(), "hello", 5), 0);
}

TEST(MappedFile, EmptyFileIsAnEmptyBlock) {
  TemporaryFolder folder;
  const auto block = map_file(folder.write("empty", ""));
  EXPECT_EQ(block->bytes(), 0u);
  EXPECT_NE(block->data(), nullptr);
}

TEST(MappedFile, ReleasesWholePagesAndReadsThemAgain) {
  TemporaryFolder folder;
  std::string content(1 << 20, 'a');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 >> 5);
  const auto path = folder.write("a", content);
  const auto block = map_file(path);
  const auto reads_all = [&] {
    return std::memcmp(block->data(), content.data(), content.size()) == 0;
  };
  EXPECT_TRUE(reads_all());
  ASSERT_EQ(resident_bytes(path), content.size());
  release_pages(*block, 1, 4095);  // no whole page
  EXPECT_EQ(resident_bytes(path), content.size());
  release_pages(*block, 100, content.size() - 200);
  EXPECT_LE(resident_bytes(path), content.size() / 2);  // the ends stay, of whatever page size
  EXPECT_GT(resident_bytes(path), 0u);
  EXPECT_TRUE(reads_all());
}

TEST(MappedFile, TellsWhichFileItWas) {
  TemporaryFolder folder;
  const auto path = folder.write("a", "hello");
  FileIdentity first, second;
  map_file(path, &first);
  map_file(path, &second);
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.bytes, 5u);
  write_file_atomically(path, "other");
  EXPECT_NE(open_for_reading(path).identity, first);
}

TEST(MappedFile, NamesWhatCannotBeMapped) {
  TemporaryFolder folder;
  const std::string missing = (folder / "missing").string();
  expect_error(ErrorKind::not_found, {missing, "No such file"}, [&] { map_file(missing); });
  expect_error(ErrorKind::bad_input, {folder.path().string(), "got a folder"},
               [&] { map_file(folder.path()); });
  const std::string pipe = (folder / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_error(ErrorKind::bad_input, {pipe, "special file"}, [&] { map_file(pipe); });
  const auto below_file = folder.write("file", "x") / "y";
  expect_error(ErrorKind::not_found, {"Not a directory"}, [&] { map_file(below_file); });
}

TEST(AtomicFile, ReplacesTheTargetOnCommitOnly) {
  TemporaryFolder folder;
  const auto path = folder.write("report.json", "old");
  {
    AtomicFile file(path);
    file.write_at(4, "5678", 4);
    file.write_at(0, "1234", 4);
    EXPECT_EQ(content_of(path), "old");
    file.commit();
  }
  EXPECT_EQ(content_of(path), "12345678");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, LeavesNothingBehindWithoutCommit) {
  TemporaryFolder folder;
  const auto path = folder / "report.json";
  EXPECT_THROW(
      {
        AtomicFile file(path);
        file.reserve(1 << 20);
        file.write_at(0, "abc", 3);
        throw std::runtime_error("in between");
      },
      std::runtime_error);
  EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(AtomicFile, RefusesTargetsThatAreNoFiles) {
  TemporaryFolder folder;
  expect_error(ErrorKind::bad_input, {folder.path().string(), "regular file"},
               [&] { AtomicFile file(folder.path()); });
  expect_error(ErrorKind::bad_input, {"/dev/null"}, [&] { AtomicFile file("/dev/null"); });
  const auto orphan = folder / "no/such/folder/x";
  expect_error(ErrorKind::not_found, {orphan.string()}, [&] { AtomicFile file(orphan); });
}

TEST(AtomicFile, ReportsAFullDisk) {
  TemporaryFolder folder;
  AtomicFile file(folder / "huge");
  expect_error(ErrorKind::io, {"huge"}, [&] { file.reserve(uint64_t{1} << 62); });
}

TEST(AtomicFile, WritesWholeTexts) {
  TemporaryFolder folder;
  write_file_atomically(folder / "a.json", "{}\n");
  EXPECT_EQ(content_of(folder / "a.json"), "{}\n");
  write_file_atomically(folder / "a.json", "");
  EXPECT_EQ(content_of(folder / "a.json"), "");
}

TEST(Sha256Test, KnownDigests) {
  EXPECT_EQ(Sha256().hex_digest(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 hash;
  hash.update("a");
  hash.update("bc");
  EXPECT_EQ(hash.hex_digest(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256Test, HashesFilesInPieces) {
  TemporaryFolder folder;
  const auto path = folder.write("million", std::string(1000000, 'a'));
  EXPECT_EQ(sha256_of_file(path),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  expect_error(ErrorKind::not_found, {"missing"}, [&] { sha256_of_file(folder / "missing"); });
}

}  // namespace
}  // namespace mxdit
