#include "conversion/output_folder.h"

#include <gtest/gtest.h>

#include "io/expect_error.h"
#include "io/temporary_folder.h"

namespace mxdit::conversion {
namespace {

namespace fs = std::filesystem;

const OutputFolder::Options kNew{false, {"mark"}}, kForce{true, {"mark"}};

void put(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}
std::string get(const fs::path& file) {
  std::string text;
  std::getline(std::ifstream(file), text);
  return text;
}

class OutputFolderTest : public ::testing::Test {
 protected:
  bool is_empty() const { return fs::is_empty(folder_.path()); }
  TemporaryFolder folder_;
};

TEST_F(OutputFolderTest, AppearsOnCommit) {
  {
    OutputFolder output(folder_ / "a/b/out/", kNew);
    EXPECT_FALSE(output.taken_over());
    put(output.working() / "mark", "1");
    EXPECT_FALSE(fs::exists(folder_ / "a/b/out"));
    output.commit();
  }
  EXPECT_EQ(get(folder_ / "a/b/out/mark"), "1");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "a/b"), {}), 1);
}

TEST_F(OutputFolderTest, LeavesNothingWithoutCommit) {
  {
    OutputFolder output(folder_ / "a/b/out", kNew);
    fs::create_directory(output.working() / "sub");
    put(output.working() / "sub/x", "1");
  }
  EXPECT_TRUE(is_empty());
  fs::create_directory(folder_ / "out");
  put(folder_ / "out/mark", "old");
  { OutputFolder output(folder_ / "out", kForce); }
  EXPECT_EQ(get(folder_ / "out/mark"), "old");
}

TEST_F(OutputFolderTest, ReplacesOnlyWithForceAndOnlyItsLike) {
  folder_.write("out/other", "precious");
  expect_error(ErrorKind::usage,
               {(folder_ / "out").string() + ": expected a name that is free, got one that exists"},
               [&] { OutputFolder(folder_ / "out", kNew); });
  expect_error(ErrorKind::usage,
               {"expected a folder that an earlier run wrote, got one without mark"},
               [&] { OutputFolder(folder_ / "out", kForce); });
  folder_.write("out/mark", "old");
  OutputFolder output(folder_ / "out", kForce);
  put(output.working() / "mark", "new");
  EXPECT_EQ(get(folder_ / "out/mark"), "old");
  output.commit();
  EXPECT_EQ(get(folder_ / "out/mark"), "new");
  EXPECT_FALSE(fs::exists(folder_ / "out/other"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1);
  expect_error(ErrorKind::usage, {"expected a folder to replace"},
               [&] { OutputFolder(folder_.write("file", ""), kForce); });
}

TEST_F(OutputFolderTest, TakesOverAnAbandonedFolder) {
  folder_.write(".out.partial/part", "1");
  expect_error(ErrorKind::usage, {"expected no unfinished run, got", ".out.partial", "--force"},
               [&] { OutputFolder(folder_ / "out", kNew); });
  EXPECT_EQ(get(folder_ / ".out.partial/part"), "1");
  OutputFolder output(folder_ / "out", kForce);
  EXPECT_TRUE(output.taken_over());
  EXPECT_EQ(get(output.working() / "part"), "1");
  output.clear();
  EXPECT_TRUE(fs::is_empty(output.working()));
}

TEST_F(OutputFolderTest, OneWriterAtATime) {
  OutputFolder output(folder_ / "out", kForce);
  put(output.working() / "part", "1");
  for (const auto& options : {kNew, kForce})
    expect_error(ErrorKind::usage, {"expected to be the only one who writes it"},
                 [&] { OutputFolder(folder_ / "out", options); });
  EXPECT_EQ(get(output.working() / "part"), "1");
}

TEST_F(OutputFolderTest, ATargetThatAppearsMeanwhileIsKept) {
  OutputFolder output(folder_ / "out", kNew);
  folder_.write("out/theirs", "1");
  expect_error(ErrorKind::usage, {"got one that exists"}, [&] { output.commit(); });
  EXPECT_EQ(get(folder_ / "out/theirs"), "1");
}

TEST_F(OutputFolderTest, FollowsALinkToTheRealFolder) {
  folder_.write("real/mark", "old");
  fs::create_directory_symlink(folder_ / "real", folder_ / "link");
  OutputFolder output(folder_ / "link", kForce);
  put(output.working() / "mark", "new");
  output.commit();
  EXPECT_EQ(get(folder_ / "real/mark"), "new");
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
}

TEST_F(OutputFolderTest, NamesWhatCannotBeMade) {
  folder_.write("file", "");
  expect_error(ErrorKind::not_found, {"file"}, [&] { OutputFolder(folder_ / "file/out", kNew); });
}

TEST_F(OutputFolderTest, InputAndOutputAreApart) {
  folder_.write("in/x", "");
  check_apart(folder_ / "inside", folder_ / "in", "--quant-path");
  const auto refuses = [&](const char* output, const char* how) {
    expect_error(ErrorKind::usage, {"expected a folder apart from --quant-path", how},
                 [&] { check_apart(folder_ / output, folder_ / "in", "--quant-path"); });
  };
  refuses("in", "the same one");
  refuses("in/../in/", "the same one");
  refuses("in/out", "one inside of the other");
  refuses(".", "one inside of the other");
}

}  // namespace
}  // namespace mxdit::conversion
