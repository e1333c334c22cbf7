#include "schedulers/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "io/json_file.h"
#include "io/safetensors.h"

namespace mxdit {
namespace {

// torch's vector log and cos are approximations, and a float angle of up to 2 pi is rounded to
// 2.4e-7, which a radius of up to 5.8 multiplies.
constexpr double kTolerance = 2e-6;

void expect_values(const Tensor& got, const Tensor& expected, const std::string& label) {
  ASSERT_EQ(got.shape(), expected.shape()) << label;
  double worst = 0;
  for (int64_t i = 0; i < got.elements(); ++i) {
    worst = std::max(worst, std::fabs(double{got.as<float>()[i]} - expected.as<float>()[i]));
  }
  EXPECT_LE(worst, kTolerance) << label;
}

TEST(Noise, MatchesTorch) {
  const std::filesystem::path path =
      std::filesystem::path(MXDIT_SOURCE_DIR) / "tests/goldens/noise/cases.safetensors";
  const SafetensorsFile file = SafetensorsFile::open(path);
  const Json cases = parse_json(file.header().metadata.at("cases"), path.string());
  ASSERT_GT(cases.size(), 50u);
  for (const Json& item : cases) {
    const auto name = required<std::string>(item, "name", path.string());
    TorchCpuGenerator generator(std::stoull(required<std::string>(item, "seed", path.string())));
    const auto shape = required<std::vector<int64_t>>(item, "shape", path.string());
    expect_values(generator.randn(Shape(shape)), file.get(name + ".values"), name);
    if (required<int64_t>(item, "draws", path.string()) == 2) {
      const auto second = required<std::vector<int64_t>>(item, "shape2", path.string());
      expect_values(generator.randn(Shape(second)), file.get(name + ".values2"), name + " second");
    }
  }
}

TEST(Noise, UniformsAreTorchs) {
  // torch.rand(3) and torch.rand(3, dtype=torch.float64) after manual_seed(42).
  TorchCpuGenerator floats(42);
  for (const float value : {0x1.c3b8ccp-1f, 0x1.d47b66p-1f, 0x1.880d7p-2f}) {
    EXPECT_EQ(floats.uniform_float(), value);
  }
  TorchCpuGenerator doubles(42);
  for (const double value : {0x1.dc66cbea3db3p-5, 0x1.01ae177aca87p-4, 0x1.fa3563ccea238p-4}) {
    EXPECT_EQ(doubles.uniform_double(), value);
  }
}

TEST(Noise, OnlyTheLowHalfOfTheSeedCounts) {
  TorchCpuGenerator a(7), b((uint64_t{9} << 32) + 7);
  EXPECT_EQ(a.uniform_float(), b.uniform_float());
}

TEST(Noise, EmptyShapesDrawNothing) {
  TorchCpuGenerator a(3), b(3);
  EXPECT_EQ(a.randn({4, 0}).elements(), 0);
  EXPECT_EQ(a.uniform_float(), b.uniform_float());
}

}  // namespace
}  // namespace mxdit
