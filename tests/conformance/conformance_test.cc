// Every operator on every kernel table that this machine runs and on the device exact, against naive loops in double, and
// bit by bit over 1, 2 and 3 threads. Tables that the machine lacks are counted and shown.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "conformance/cases.h"
#include "conformance/targets.h"

namespace mxdit::conformance {
namespace {

const std::vector<Case>& cases() {
  static const std::vector<Case> list = all_cases();
  return list;
}

// Expectations are the same for every table, and slow.
const Expectation& expectation(size_t index, const Instance& instance) {
  static std::map<size_t, Expectation> known;
  auto found = known.find(index);
  if (found == known.end()) found = known.emplace(index, instance.expected()).first;
  return found->second;
}

Backend& backend(const std::string& isa, int threads) {
  static std::map<std::pair<std::string, int>, std::unique_ptr<Backend>> made;
  auto& entry = made[{isa, threads}];
  if (!entry) entry = make_target(isa, threads);
  return *entry;
}

void expect_close(const std::string& name, const Tensor& out, const Expectation& expected) {
  const std::vector<double> got = values_of(out);
  ASSERT_EQ(got.size(), expected.value.size());
  double worst = 0.0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double value = expected.value[i], bound = expected.bound[i];
    const double error = std::abs(got[i] - value);
    const double allowed = bound + rounding(out.dtype(), std::abs(value) + bound);
    worst = std::max(worst, error / allowed);
    ASSERT_LE(error, allowed) << name << " element " << i << ": expected " << value << ", got "
                              << got[i];
  }
}

class ConformanceTest : public ::testing::TestWithParam<std::tuple<std::string, size_t>> {};

TEST_P(ConformanceTest, MatchesDoubleLoopsAtAnyThreadCount) {
  const auto& [isa, index] = GetParam();
  Tensor first;
  for (const int threads : {1, 2, 3}) {
    Instance instance = cases()[index].make(backend(isa, threads));
    instance.run();
    if (threads == 1) {
      first = backend(isa, 1).to_host(instance.out);
      expect_close(cases()[index].name, first, expectation(index, instance));
    } else {
      ASSERT_EQ(std::memcmp(first.data(), instance.out.data(), first.bytes()), 0)
          << cases()[index].name << ": " << threads << " threads change the result";
    }
  }
}

std::string test_name(const ::testing::TestParamInfo<std::tuple<std::string, size_t>>& info) {
  std::string text = std::get<0>(info.param) + "_" + cases()[std::get<1>(info.param)].name + "_" +
                     std::to_string(std::get<1>(info.param));
  for (char& c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return text;
}

INSTANTIATE_TEST_SUITE_P(Tables, ConformanceTest,
                         ::testing::Combine(::testing::ValuesIn(targets()),
                                            ::testing::Range<size_t>(0, cases().size())),
                         test_name);

TEST(KernelTables, SkippedOnesAreShown) {
  for (const std::string& name : targets())
    std::printf("[ tables   ] %s: %zu cases\n", name.c_str(), cases().size());
  const std::vector<std::string> missing = tables_that(false);
  for (const std::string& name : missing)
    std::printf("[ tables   ] %s: %zu cases skipped, not on this machine\n", name.c_str(),
                cases().size());
  if (!missing.empty()) GTEST_SKIP() << missing.size() << " kernel tables were not tested";
}

}  // namespace
}  // namespace mxdit::conformance
