// That each case computes what it says, on sizes of milliseconds. Nothing here depends on time.
#include "mxdit/bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "io/expect_error.h"
#include "io/temporary_folder.h"

namespace mxdit {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::Pair;

BenchOptions two_threads(const std::string& quantization = "") {
  BenchOptions options;
  options.threads = 2;
  options.quantization = quantization;
  return options;
}

DitCase tiny_forward() {
  DitCase subject;
  subject.shape = "tiny";
  subject.layers = 1;
  subject.tokens = 12;
  subject.text_tokens = 5;
  return subject;
}

std::vector<std::string> part_names(const BenchSample& sample) {
  std::vector<std::string> names;
  for (const auto& [name, seconds] : sample.parts) names.push_back(name);
  return names;
}

TEST(BenchTest, LinearSaysWhatItRan) {
  const auto benchmark = make_benchmark(LinearCase{3, 64, 32}, two_threads());
  const BenchSample sample = benchmark->run(nullptr);
  EXPECT_GT(sample.seconds, 0);
  EXPECT_TRUE(sample.parts.empty());
  const BenchFacts facts = benchmark->facts();
  EXPECT_EQ(facts.command, "linear");
  EXPECT_THAT(facts.parameters, ElementsAre(Pair("tokens", BenchValue(int64_t{3})),
                                            Pair("in", BenchValue(int64_t{64})),
                                            Pair("out", BenchValue(int64_t{32}))));
  EXPECT_EQ(facts.operations, 2.0 * 3 * 64 * 32);
  EXPECT_EQ(facts.quantization, "none");
  EXPECT_EQ(facts.threads, 2);
  EXPECT_FALSE(facts.isa.empty());
  EXPECT_FALSE(facts.kernel.empty());
  EXPECT_GT(facts.peak_resident_bytes, uint64_t{1} << 20);
}

TEST(BenchTest, QuantizedLinearTimesBothHalves) {
  for (const char* key : {"mxfp4_npu", "mxfp4", "mxfp8", "fp8"}) {
    const auto benchmark = make_benchmark(LinearCase{3, 512, 32}, two_threads(key));
    const BenchSample sample = benchmark->run(nullptr);
    EXPECT_THAT(part_names(sample), ElementsAre("quantize", "product")) << key;
    EXPECT_DOUBLE_EQ(sample.parts[0].second + sample.parts[1].second, sample.seconds) << key;
    EXPECT_EQ(benchmark->facts().quantization, key);
  }
}

TEST(BenchTest, LinearRefusesMethodsThatOnlyReadStoredWeights) {
  expect_error(ErrorKind::unsupported, {"--quantization", "modelslim"}, [] {
    make_benchmark(LinearCase{3, 64, 32}, two_threads("modelslim"));
  });
  expect_error(ErrorKind::usage, {"--in", "got 0"}, [] {
    make_benchmark(LinearCase{3, 0, 32}, two_threads());
  });
}

TEST(BenchTest, AllWanLinears) {
  const auto cases = wan_linear_cases(7);
  ASSERT_EQ(cases.size(), 9u);
  EXPECT_THAT(cases, Contains(testing::AllOf(Field(&LinearCase::tokens, 7),
                                             Field(&LinearCase::in_features, 13824),
                                             Field(&LinearCase::out_features, 5120))));
}

TEST(BenchTest, AttentionTakesOtherKeys) {
  AttentionCase subject{9, 5, 2, 16};
  auto benchmark = make_benchmark(subject, two_threads());
  EXPECT_GT(benchmark->run(nullptr).seconds, 0);
  EXPECT_EQ(benchmark->facts().operations, 4.0 * 9 * 5 * 32);
  subject.keys = 0;
  EXPECT_EQ(make_benchmark(subject, two_threads())->facts().operations, 4.0 * 9 * 9 * 32);
  expect_error(ErrorKind::usage, {"--quantization", "attention"},
               [&] { make_benchmark(subject, two_threads("mxfp8")); });
}

TEST(BenchTest, ForwardOfRandomWeights) {
  for (const char* key : {"none", "mxfp4_npu"}) {
    const auto benchmark = make_benchmark(tiny_forward(), two_threads(key));
    EXPECT_GT(benchmark->run(nullptr).seconds, 0);
    const BenchFacts facts = benchmark->facts();
    EXPECT_EQ(facts.quantization, key);
    EXPECT_THAT(facts.parameters, Contains(Pair("tokens", BenchValue(int64_t{12}))));
    EXPECT_THAT(facts.parameters, Contains(Pair("layers", BenchValue(int64_t{1}))));
  }
}

TEST(BenchTest, ForwardMayEncodeTheText) {
  DitCase subject = tiny_forward();
  const double without = make_benchmark(subject, two_threads())->facts().operations;
  subject.encode_text = true;
  const auto benchmark = make_benchmark(subject, two_threads());
  EXPECT_THAT(part_names(benchmark->run(nullptr)), ElementsAre("encode_text", "forward"));
  EXPECT_GT(benchmark->facts().operations, without);
}

TEST(BenchTest, ForwardOfAModelFolder) {
  DitCase subject;
  subject.model_path = std::string(MXDIT_SOURCE_DIR) + "/tests/goldens/pipeline/moe";
  subject.num_frames = 5;
  subject.height = 32;
  subject.width = 48;
  subject.text_tokens = 4;
  const auto benchmark = make_benchmark(subject, two_threads());
  EXPECT_GT(benchmark->run(nullptr).seconds, 0);
  EXPECT_THAT(benchmark->facts().parameters, Contains(Pair("tokens", BenchValue(int64_t{12}))));
  subject.shape = "tiny";
  expect_error(ErrorKind::usage, {"--model-path", "--shape"},
               [&] { make_benchmark(subject, two_threads()); });
}

TEST(BenchTest, ForwardRefusesSizesThatCannotBe) {
  const auto refused = [](auto change, const std::string& flag) {
    DitCase subject = tiny_forward();
    change(subject);
    expect_error(ErrorKind::usage, {flag}, [&] { make_benchmark(subject, two_threads()); });
  };
  refused([](DitCase& c) { c.shape = "huge"; }, "--shape");
  refused([](DitCase& c) { c.tokens = 1031; }, "--tokens");  // a prime above 1024
  refused([](DitCase& c) { c.tokens = 0, c.height = 24; }, "--height");
  refused([](DitCase& c) { c.tokens = 0, c.num_frames = 6; }, "--num-frames");
  refused([](DitCase& c) { c.text_tokens = 0; }, "--text-tokens");
}

TEST(BenchTest, DecodesRandomWeights) {
  VaeCase subject;
  subject.shape = "tiny";
  subject.num_frames = 5;
  subject.height = 16;
  subject.width = 24;
  const auto benchmark = make_benchmark(subject, two_threads());
  EXPECT_GT(benchmark->run(nullptr).seconds, 0);
  EXPECT_GT(benchmark->facts().operations, 0);
  subject.num_frames = 4;
  expect_error(ErrorKind::usage, {"--num-frames", "got 4"},
               [&] { make_benchmark(subject, two_threads()); });
}

TEST(BenchTest, LeavesNothingInTheTemporaryFolder) {
  const TemporaryFolder folder;
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  ASSERT_EQ(::setenv("TMPDIR", folder.path().c_str(), 1), 0);
  const auto benchmark = make_benchmark(tiny_forward(), two_threads());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  CancelToken token;
  token.cancel();
  expect_error(ErrorKind::cancelled, {"stopped"},
               [&] { make_benchmark(tiny_forward(), two_threads(), &token); });
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  if (before == nullptr)
    ::unsetenv("TMPDIR");
  else
    ::setenv("TMPDIR", kept.c_str(), 1);
  benchmark->run(nullptr);  // the weights are still there
}

TEST(BenchTest, StopsOnRequest) {
  const auto benchmark = make_benchmark(LinearCase{3, 64, 32}, two_threads());
  CancelToken token;
  token.cancel();
  expect_error(ErrorKind::cancelled, {"stopped"}, [&] { benchmark->run(&token); });
}

TEST(BenchTest, PeaksOfTheMachine) {
  const auto peaks = measure_machine_peaks(two_threads());
  ASSERT_FALSE(peaks.empty());
  for (const MachinePeak& peak : peaks) EXPECT_GT(peak.operations_per_second, 1e6) << peak.isa;
  // Zeros are an entry beside real values, of the same multiplier.
  for (const MachinePeak& peak : peaks) {
    const size_t comma = peak.type.find(", zeros");
    if (comma == std::string::npos) continue;
    EXPECT_EQ(std::count_if(peaks.begin(), peaks.end(),
                            [&](const MachinePeak& other) {
                              return other.isa == peak.isa &&
                                     other.type == peak.type.substr(0, comma);
                            }),
              1)
        << peak.isa << " " << peak.type;
  }
  BenchOptions unknown;
  unknown.device = "abacus";
  expect_error(ErrorKind::usage, {"device", "abacus"}, [&] { measure_machine_peaks(unknown); });
}

}  // namespace
}  // namespace mxdit
