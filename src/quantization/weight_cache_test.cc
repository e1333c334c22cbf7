#include "quantization/weight_cache.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "io/sha256.h"
#include "quantization/layer_testing.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kAtOnce{0};  // remember contents of files that were just written
constexpr std::chrono::hours kNever{1};

std::string content_of(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

void overwrite(const fs::path& path, size_t offset, const std::string& bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file << bytes;
}

std::vector<uint8_t> bytes_of(const Tensor& tensor) {
  const auto* data = static_cast<const uint8_t*>(tensor.data());
  return tensor.defined() ? std::vector<uint8_t>(data, data + tensor.bytes())
                          : std::vector<uint8_t>();
}

void expect_equal(const QuantizedMatrix& got, const QuantizedMatrix& expected) {
  EXPECT_EQ(got.format, expected.format);
  EXPECT_EQ(got.rows, expected.rows);
  EXPECT_EQ(got.columns, expected.columns);
  EXPECT_EQ(bytes_of(got.elements), bytes_of(expected.elements));
  EXPECT_EQ(bytes_of(got.block_scale), bytes_of(expected.block_scale));
  EXPECT_EQ(bytes_of(got.scale), bytes_of(expected.scale));
}

class WeightCacheTest : public LayerTest {
 protected:
  WeightCacheTest() { write_weight(1); }

  void write_weight(uint32_t seed, DType dtype = DType::bf16) {
    write({{"l.weight", random_tensor(dtype, {5, 70}, seed)},
           {"k.weight", random_tensor(dtype, {5, 70}, seed + 1)}});
  }

  // As a new start would: another store, another cache. The result has to be right in any case.
  QuantizedMatrix get(const std::string& layer = "l", const QuantFormat& format = kMxfp4Dual,
                      std::chrono::nanoseconds settled = kNever) {
    weights_.emplace(WeightStore::open(file()));
    const Tensor plain = weights_->get(layer + ".weight");
    const QuantizedMatrix result =
        WeightCache(cache(), settled).get(*weights_, layer + ".weight", format, [&] {
          ++encoded_;
          return reference::quantize(plain, format);
        });
    expect_equal(result, reference::quantize(plain, format));
    return result;
  }

  fs::path cache() const { return folder_ / "cache"; }
  // Files below `below`, sorted.
  std::vector<fs::path> files(const std::string& extension, const fs::path& below) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(below))
      if (entry.is_regular_file() && entry.path().extension() == extension)
        found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
  }
  std::vector<fs::path> entries() const { return files(".safetensors", cache()); }
  std::vector<fs::path> memos() const {
    return fs::exists(cache() / "known") ? files("", cache() / "known") : std::vector<fs::path>();
  }

  int encoded_ = 0;
};

TEST_F(WeightCacheTest, FindsWhatAnEarlierStartWrote) {
  for (const QuantFormat* format : {&kMxfp4Dual, &kMxfp4, &kMxfp8, &kFp8Row}) {
    encoded_ = 0;
    for (int start = 0; start < 3; ++start) get("l", *format);
    EXPECT_EQ(encoded_, 1) << format->name;
  }
  EXPECT_EQ(entries().size(), 4u);
  EXPECT_TRUE(memos().empty());  // the file is too young
  const std::string entry = entries()[0].string();
  EXPECT_EQ(entries()[0].parent_path().filename(), entries()[0].stem().string().substr(0, 2));
}

TEST_F(WeightCacheTest, FindsContentUnderAnotherName) {
  get();
  write({{"other.weight", random_tensor(DType::bf16, {5, 70}, 1)}});
  get("other");
  EXPECT_EQ(encoded_, 1);
}

TEST_F(WeightCacheTest, ChangedWeightsMiss) {
  for (const auto settled : {std::chrono::nanoseconds(kNever), std::chrono::nanoseconds(kAtOnce)}) {
    encoded_ = 0;
    const uint32_t seed = settled == kNever ? 10 : 20;
    write_weight(seed);
    get("l", kMxfp4Dual, settled);
    get("k", kMxfp4Dual, settled);
    write_weight(seed + 5);
    get("l", kMxfp4Dual, settled);
    write_weight(seed + 5, DType::f16);
    get("l", kMxfp4Dual, settled);
    EXPECT_EQ(encoded_, 4);
    // One byte, in place.
    overwrite(file(), fs::file_size(file()) - 1, "A");
    get("l", kMxfp4Dual, settled);
    EXPECT_EQ(encoded_, 5);
  }
}

TEST_F(WeightCacheTest, SameBytesInAnotherShapeMiss) {
  get();
  write({{"l.weight", random_tensor(DType::bf16, {10, 35}, 1)}});
  get("l", kMxfp8);
  write({{"l.weight", random_tensor(DType::bf16, {35, 10}, 1)}});
  get("l", kMxfp8);
  EXPECT_EQ(encoded_, 3);
}

TEST_F(WeightCacheTest, RemembersContentsOfSettledFiles) {
  get("l", kMxfp4Dual, kAtOnce);
  get("k", kMxfp4Dual, kAtOnce);
  ASSERT_EQ(memos().size(), 2u);
  // That the memo is believed shows when it lies: it names no entry, so the weight is encoded.
  const std::string content = content_of(memos()[0]);
  for (const fs::path& memo : memos()) std::ofstream(memo) << std::string(64, 'a');
  get("l", kMxfp4Dual, kAtOnce);
  EXPECT_EQ(encoded_, 3);
  // A damaged one is made anew.
  for (const char* text : {"", "a", "../../x"}) {
    for (const fs::path& memo : memos()) std::ofstream(memo) << text;
    get("l", kMxfp4Dual, kAtOnce);
    get("k", kMxfp4Dual, kAtOnce);
    EXPECT_EQ(encoded_, 3);
    EXPECT_EQ(content_of(memos()[0]), content);
  }
}

TEST_F(WeightCacheTest, RenamedTensorsAreNotTakenForEachOther) {
  get("l", kMxfp8, kAtOnce);
  const WeightStore stored = WeightStore::open(file());
  const WeightStore renamed = stored.renamed({{"l.weight", "k.weight"}, {"k.weight", "l.weight"}});
  for (const char* tensor : {"l.weight", "k.weight"}) {
    const QuantizedMatrix expected = reference::quantize(renamed.get(tensor), kMxfp8);
    expect_equal(
        WeightCache(cache(), kAtOnce).get(renamed, tensor, kMxfp8, [&] { return expected; }),
        expected);
  }
}

TEST_F(WeightCacheTest, ATouchedFileIsHashedAgain) {
  get("l", kMxfp4Dual, kAtOnce);
  fs::last_write_time(file(), fs::last_write_time(file()) + std::chrono::hours(1));
  get("l", kMxfp4Dual, kAtOnce);
  EXPECT_EQ(memos().size(), 2u);
  EXPECT_EQ(encoded_, 1);
}

TEST_F(WeightCacheTest, MapsWhatItFinds) {
  get();
  const QuantizedMatrix matrix = get();
  std::ifstream maps("/proc/self/smaps");
  uint64_t address = reinterpret_cast<uint64_t>(matrix.elements.data());
  for (std::string line; std::getline(maps, line);) {
    const size_t dash = line.find('-');
    if (dash > line.find(' ')) continue;
    if (std::stoull(line, nullptr, 16) <= address &&
        address < std::stoull(line.substr(dash + 1), nullptr, 16)) {
      EXPECT_THAT(line, ::testing::HasSubstr(entries()[0].filename().string()));
      return;
    }
  }
  ADD_FAILURE() << "no mapping has the address";
}

TEST_F(WeightCacheTest, MakesDamagedEntriesAnew) {
  get();
  const fs::path entry = entries().at(0);
  const std::string good = content_of(entry);
  const size_t size = good.size();
  const auto restored = [&] {
    const int before = encoded_;
    get();
    EXPECT_EQ(encoded_, before + 1);
    EXPECT_EQ(content_of(entry), good);
  };
  for (const size_t place : {size - 1, size - 100, size / 2, size_t{0}, size_t{20}}) {
    SCOPED_TRACE(place);
    overwrite(entry, place, std::string(1, static_cast<char>(good[place] ^ 1)));
    restored();
  }
  for (const size_t shorter : {size_t{0}, size_t{7}, size / 2, size - 1}) {
    fs::resize_file(entry, shorter);
    restored();
  }
  // Another entry under this name: whole, but not what is looked for.
  get("k");
  for (const fs::path& other : entries())
    if (other != entry) fs::copy_file(other, entry, fs::copy_options::overwrite_existing);
  restored();
  write_safetensors(entry, {{"elements", random_tensor(DType::f32, {2, 2}, 1)}});
  restored();
}

TEST_F(WeightCacheTest, KeepsNothingOfAFileThatChangesMeanwhile) {
  const WeightStore weights = WeightStore::open(file());
  const Tensor plain = weights.get("l.weight");
  const QuantizedMatrix expected = reference::quantize(plain, kMxfp8);
  const auto result = WeightCache(cache(), kAtOnce).get(weights, "l.weight", kMxfp8, [&] {
    std::filesystem::remove(file());
    return expected;
  });
  expect_equal(result, expected);
  EXPECT_TRUE(entries().empty());
}

// Root may write everywhere, so it becomes somebody else, who owns `folder`, while this lives.
class Nobody {
 public:
  explicit Nobody(const fs::path& folder) : was_(::geteuid()) {
    constexpr uid_t kNobody = 65534;
    is_other_ =
        was_ != 0 || (::chown(folder.c_str(), kNobody, kNobody) == 0 && ::seteuid(kNobody) == 0);
  }
  ~Nobody() {
    if (::seteuid(was_) != 0) std::abort();
  }
  bool is_other() const { return is_other_; }

 private:
  uid_t was_;
  bool is_other_;
};

TEST_F(WeightCacheTest, ReadsFromAFolderThatCannotBeWritten) {
  const Nobody nobody(folder_.path());
  if (!nobody.is_other()) GTEST_SKIP() << "root may write everywhere";
  get();
  for (const auto& entry : fs::recursive_directory_iterator(cache()))
    if (entry.is_directory()) fs::permissions(entry, fs::perms(0500));
  fs::permissions(cache(), fs::perms(0500));
  get("l", kMxfp4Dual, kAtOnce);
  EXPECT_EQ(encoded_, 1);
  expect_error(ErrorKind::io,
               {"[quantization] --quantization-cache " + cache().string(), "Permission denied"},
               [&] { get("l", kMxfp8); });
  fs::permissions(cache(), fs::perms(0700));
  for (const auto& entry : fs::recursive_directory_iterator(cache()))
    if (entry.is_directory()) fs::permissions(entry, fs::perms(0700));
}

TEST_F(WeightCacheTest, NamesAFolderThatCannotBe) {
  folder_.write("cache", "a file");
  const std::string start = "[quantization] --quantization-cache " + cache().string();
  expect_error(ErrorKind::io, {start}, [&] { get(); });
  expect_error(ErrorKind::io, {start}, [&] { WeightCache(cache() / "below"); });
  cache_ = cache().string();
  expect_error(ErrorKind::io, {start}, [&] { config("mxfp8"); });
  // A file where the entry's folder should be; found only when it is written.
  fs::remove(cache());
  get();
  const fs::path place = entries().at(0).parent_path();
  fs::remove_all(place);
  std::ofstream(place) << "in the way";
  expect_error(ErrorKind::io, {start, place.filename().string()}, [&] { get(); });
}

TEST_F(WeightCacheTest, SeveralWritersAgree) {
  std::vector<std::thread> threads;
  const QuantizedMatrix expected =
      reference::quantize(random_tensor(DType::bf16, {5, 70}, 1), kMxfp8);
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      const WeightStore weights = WeightStore::open(file());
      for (int round = 0; round < 5; ++round) {
        const auto got = WeightCache(cache(), kAtOnce).get(weights, "l.weight", kMxfp8, [&] {
          return reference::quantize(weights.get("l.weight"), kMxfp8);
        });
        if (bytes_of(got.elements) != bytes_of(expected.elements)) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(entries().size(), 1u);
  get("l", kMxfp8);
  EXPECT_EQ(encoded_, 0);
  EXPECT_TRUE(files(".tmp", cache()).empty());
}

TEST_F(WeightCacheTest, TwoProcessesShareAFolder) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    try {
      get("l", kMxfp8);
      get("k", kMxfp8);
      ::_exit(encoded_ <= 2 && !HasFailure() ? 0 : 1);
    } catch (...) {
      ::_exit(2);
    }
  }
  get("k", kMxfp8);
  get("l", kMxfp8);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  encoded_ = 0;
  get("l", kMxfp8);
  get("k", kMxfp8);
  EXPECT_EQ(encoded_, 0);
  EXPECT_EQ(entries().size(), 2u);
}

TEST_F(WeightCacheTest, LayersAreTheSameWithAndWithoutACache) {
  const Tensor x = random_tensor(DType::f32, {3, 70}, 7);
  for (const char* key : {"mxfp4_npu", "mxfp8", "fp8"}) {
    cache_ = "";
    const Tensor expected = run(*prepare(*config(key), "l", 5, 70), x);
    cache_ = cache().string();
    for (int start = 0; start < 2; ++start) {
      const auto configuration = config(key);
      const Tensor got = run(*prepare(*configuration, "l", 5, 70), x);
      EXPECT_EQ(bytes_of(got), bytes_of(expected)) << key;
      const LinearInfo info = describe(*configuration, "l", 5, 70);
      EXPECT_EQ(info.resident_bytes, 0u);
      EXPECT_EQ(info.mapped_bytes, find_quant_format(info.type)->bytes(5, 70));
    }
  }
  EXPECT_EQ(entries().size(), 3u);
  // Layers that stay plain have no entry, and what cannot be quantized gets none.
  ignored_ = {"l"};
  prepare(*config("mxfp8"), "l", 5, 70);
  ignored_ = {};
  write({{"l.weight", float_tensor(DType::bf16, {2, 2}, {1.0f, NAN, 1.0f, 1.0f})}});
  expect_error(ErrorKind::bad_input, {"l.weight: expected finite numbers, got nan at 1"},
               [&] { prepare(*config("mxfp8"), "l", 2, 2); });
  EXPECT_EQ(entries().size(), 3u);
}

// The bytes of each online format. When a rule changes, these do: then raise kQuantRules, or old
// entries would be found for the new rule.
TEST(QuantRules, AreThoseOfThisVersion) {
  EXPECT_STREQ(kQuantRules, "1");
  const struct {
    const QuantFormat* format;
    const char* digest;
  } cases[] = {{&kMxfp4Dual, "071d1f8817ab662f"},
               {&kMxfp4, "c995da2d218e4f38"},
               {&kMxfp8, "19b8eea6ecf44500"},
               {&kFp8Row, "ad55864eb04d00dd"}};
  for (const auto& c : cases) {
    Sha256 hash;
    for (const DType dtype : {DType::bf16, DType::f16}) {
      const auto matrix = reference::quantize(random_tensor(dtype, {7, 1100}, 11), *c.format);
      for (const Tensor& part : {matrix.elements, matrix.block_scale, matrix.scale})
        if (part.defined()) hash.update(part.data(), part.bytes());
    }
    EXPECT_EQ(hash.hex_digest().substr(0, 16), c.digest) << c.format->name;
  }
}

}  // namespace
}  // namespace mxdit
