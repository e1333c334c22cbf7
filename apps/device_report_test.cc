#include "device_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "fake_engine.h"
#include "program.h"

namespace mxdit::cli {
namespace {

DeviceReport sample() {
  DeviceReport report;
  report.device = "cpu";
  report.processor = "A Processor";
  report.chosen_by = "MXDIT_ISA";
  report.kernels = {{"wide", false, false, "the kernel refused the permission"},
                    {"middle", true, false, ""},
                    {"narrow", true, true, ""}};
  report.products = {{"linear", "bf16 narrow", {"wide: it is not there", "middle: not asked for"}},
                     {"attention", "fp32 narrow", {"wide: it is not there"}}};
  report.threads = 3;
  report.processors = 4;
  report.caches = {{2, "Unified", uint64_t{2} << 20, "0-1"}};
  report.memory_bytes = uint64_t{8} << 30;
  report.available_bytes = uint64_t{5} << 30;
  return report;
}

class InspectDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    fake_engine() = FakeEngine();
    fake_engine().device = sample();
  }
  int inspect(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "inspect");
    std::ostringstream out, err;
    const int status = run_program(arguments, {out, err, false});
    out_ = out.str();
    err_ = err.str();
    return status;
  }
  std::string out_, err_;
};

TEST_F(InspectDeviceTest, AsText) {
  EXPECT_EQ(inspect({"--device"}), 0);
  EXPECT_EQ(out_,
            "cpu: A Processor\n"
            "  threads  3 of 4 processors\n"
            "  memory   8.00 GiB, available now 5.00 GiB\n\n"
            "  kernels, best first  here\n"
            "  wide                 no    the kernel refused the permission\n"
            "  middle               yes\n"
            "  narrow               yes   in use: MXDIT_ISA\n\n"
            "  product    kernel\n"
            "  linear     bf16 narrow\n"
            "  attention  fp32 narrow\n\n"
            "why not faster kernels:\n"
            "  wide: it is not there\n"
            "  middle: not asked for\n\n"
            "  cache           size  shared by processors\n"
            "  L2 Unified  2.00 MiB  0-1\n");
  EXPECT_FALSE(fake_engine().inspected_model);
}

TEST_F(InspectDeviceTest, AsJson) {
  EXPECT_EQ(inspect({"--device", "cpu", "--json"}), 0);
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["kernels"][0]["why_absent"], "the kernel refused the permission");
  EXPECT_EQ(json["kernels"][2]["chosen"], true);
  EXPECT_EQ(json["products"][0]["passed_over"].size(), 2u);
  EXPECT_EQ(json["caches"][0]["bytes"], 2097152);
  EXPECT_EQ(json["threads"], 3);
  EXPECT_EQ(json["memory_bytes"], uint64_t{8} << 30);
  EXPECT_EQ(json["chosen_by"], "MXDIT_ISA");
}

TEST_F(InspectDeviceTest, ForcedKernelsAndThreadsReachTheDevice) {
  EXPECT_EQ(inspect({"--device", "--isa", "avx2", "--threads", "1"}), 0);
  EXPECT_EQ(fake_engine().options.device, "cpu");
  EXPECT_EQ(fake_engine().options.isa, "avx2");
  EXPECT_EQ(fake_engine().options.threads, 1);
  EXPECT_EQ(inspect({"--device=other"}), 0);
  EXPECT_EQ(fake_engine().options.device, "other");
}

TEST_F(InspectDeviceTest, WithAModelItIsWhereTheModelRuns) {
  EXPECT_EQ(inspect({"some/model", "--device", "cpu"}), 0);
  EXPECT_TRUE(fake_engine().inspected_model);
  EXPECT_EQ(fake_engine().options.model_path, "some/model");
}

TEST_F(InspectDeviceTest, RefusesFlagsOfAModelWithoutOne) {
  EXPECT_EQ(inspect({"--device", "--quantization", "fake4"}), 2);
  EXPECT_NE(err_.find("--quantization: expected a MODEL"), std::string::npos) << err_;
}

}  // namespace
}  // namespace mxdit::cli
