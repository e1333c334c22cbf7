#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fake_engine.h"
#include "program.h"
#include "temporary_folder.h"

namespace mxdit::cli {
namespace {

using Outcome = DoctorCheck::Outcome;

class DoctorCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    fake_engine() = FakeEngine();
    DoctorReport& report = fake_engine().doctor;
    report.version = "9.8.7";
    report.device.device = "ascend:1";
    report.device.libraries = {{"liba.so", "/opt/liba.so", ""}, {"libb.so", "", "no such file"}};
    report.device.symbols = {{"aclA", "8.5", "sums", "liba.so", true},
                             {"aclB", "9.0", "products", "", false}};
    report.checks = {{"device", "symbols", Outcome::passed, "1 found", 0},
                     {"layers", "linear bf16", Outcome::passed, "off by 3%", 0.5},
                     {"layers", "linear mxfp4_dual", Outcome::refused, "another chip", 0}};
  }
  int doctor(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "doctor");
    std::ostringstream out, err;
    const int status = run_program(arguments, {out, err, false});
    out_ = out.str();
    err_ = err.str();
    return status;
  }
  std::string out_, err_;
  TemporaryFolder folder_;
};

TEST_F(DoctorCommandTest, PrintsEveryCheckAndTheVerdict) {
  EXPECT_EQ(doctor({"--device", "ascend:1"}), 0);
  EXPECT_EQ(fake_engine().options.device, "ascend:1");
  EXPECT_EQ(out_,
            "device\n"
            "  passed  symbols                                 1 found\n"
            "\nlayers\n"
            "  passed  linear bf16                             off by 3%\n"
            "  refused linear mxfp4_dual                       another chip\n"
            "\nascend:1: 2 passed, 1 refused\n");
}

TEST_F(DoctorCommandTest, AFailureSetsTheStatus) {
  fake_engine().doctor.checks[1].outcome = Outcome::failed;
  EXPECT_EQ(doctor({}), 1);
  EXPECT_NE(out_.find("FAILED  linear bf16"), std::string::npos) << out_;
}

TEST_F(DoctorCommandTest, WritesAReport) {
  const std::string path = folder_.path("doctor.json");
  EXPECT_EQ(doctor({"--report", path}), 0);
  std::ifstream in(path);
  const auto json = nlohmann::json::parse(in);
  EXPECT_EQ(json["mxdit"], "9.8.7");
  EXPECT_EQ(json["healthy"], true);
  EXPECT_EQ(json["checks"][2]["outcome"], "refused");
  EXPECT_EQ(json["device"]["symbols"][1]["name"], "aclB");
  EXPECT_EQ(json["device"]["libraries"][1]["why_absent"], "no such file");
  EXPECT_TRUE(json["environment"].is_object());
  EXPECT_TRUE(json["system"].contains("machine"));
}

TEST_F(DoctorCommandTest, AReportThatCannotBeWrittenFailsBeforeTheChecks) {
  EXPECT_EQ(doctor({"--report", "/proc/x/doctor.json"}), 7);
  EXPECT_TRUE(out_.empty());
}

TEST_F(DoctorCommandTest, InspectShowsTheSameDevice) {
  fake_engine().device = fake_engine().doctor.device;
  fake_engine().device.problem = "it is not there";
  std::ostringstream out, err;
  EXPECT_EQ(run_program({"inspect", "--device", "ascend"}, {out, err, false}), 5);
  EXPECT_EQ(out.str(),
            "ascend:1\n"
            "  cannot be used: it is not there\n"
            "  memory   unknown\n"
            "  symbols  1 of 2 found\n\n"
            "  missing symbol  since version  needed for\n"
            "  aclB            9.0            products\n\n"
            "  library  found in\n"
            "  liba.so  /opt/liba.so\n"
            "  libb.so  -\n");
}

}  // namespace
}  // namespace mxdit::cli
