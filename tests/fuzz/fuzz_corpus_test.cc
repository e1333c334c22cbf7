// Runs the fuzzers' entries on their corpus and on mutations of it, so that an ordinary build
// (best one with sanitizers) covers them too. Deterministic: the seed is fixed.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz/entries.h"

namespace mxdit::fuzz {
namespace {

using Entry = void (*)(const uint8_t*, size_t);

std::vector<std::string> load_corpus(const std::string& name) {
  std::vector<std::filesystem::path> paths;
  for (const auto& item : std::filesystem::directory_iterator(
           std::filesystem::path(MXDIT_SOURCE_DIR) / "tests/fuzz/corpus" / name))
    paths.push_back(item.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

// A block of exactly the input's size, so that sanitizers see a read past its end.
void run(Entry entry, const std::string& input) {
  const std::vector<uint8_t> block(input.begin(), input.end());
  entry(block.data(), block.size());
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

  std::string next() {
    std::string input = pick();
    for (size_t rounds = 1 + below(3); rounds > 0; --rounds) mutate(input);
    return input;
  }

 private:
  // Not uniform_int_distribution, whose results differ between libraries.
  size_t below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const std::string& pick() { return corpus_[below(corpus_.size())]; }

  void mutate(std::string& input) {
    switch (below(5)) {
      case 0:  // flip a bit
        if (!input.empty()) input[below(input.size())] ^= static_cast<char>(1 << below(8));
        break;
      case 1:  // cut the end off
        input.resize(below(input.size() + 1));
        break;
      case 2:  // drop a stretch
        if (!input.empty()) input.erase(below(input.size()), 1 + below(8));
        break;
      case 3: {  // the begin of one, the end of another
        const std::string& other = pick();
        input = input.substr(0, below(input.size() + 1)) + other.substr(below(other.size() + 1));
        break;
      }
      default:  // put in a token that matters
        input.insert(below(input.size() + 1), kTokens[below(std::size(kTokens))]);
    }
  }

  static constexpr const char* kTokens[] = {"0",
                                            "9",
                                            "-1",
                                            "1e9",
                                            "18446744073709551615",
                                            "9223372036854775808",
                                            "[",
                                            "]",
                                            "{",
                                            "}",
                                            "\"",
                                            ",",
                                            ":",
                                            "null",
                                            "\xff",
                                            "\\u0000",
                                            "../",
                                            "{\"a\":",
                                            "__metadata__"};

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_{20250701};
};

void run_all(const std::string& name, Entry entry) {
  const std::vector<std::string> corpus = load_corpus(name);
  ASSERT_GE(corpus.size(), 5u);
  run(entry, "");
  for (const std::string& input : corpus) {
    run(entry, input);
    for (size_t size = 0; size < std::min<size_t>(input.size(), 512); ++size)
      run(entry, input.substr(0, size));
  }
  Mutator mutator(corpus);
  for (int i = 0; i < 5000; ++i) run(entry, mutator.next());
}

TEST(FuzzCorpus, Safetensors) {
  run_all("safetensors", run_safetensors);
}
TEST(FuzzCorpus, Json) {
  run_all("json", run_json);
}
TEST(FuzzCorpus, Quantization) {
  run_all("quantization", run_quantization);
}

}  // namespace
}  // namespace mxdit::fuzz
