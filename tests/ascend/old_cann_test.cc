// Libraries of an older CANN, without the dual-level operators: run with cann_8.5 of the emulator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ascend/emulator_control.h"
#include "backend/registry.h"
#include "doctor/check.h"
#include "formats/quant_format.h"

namespace mxdit::ascend {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(OldCann, MissingSymbolsAreNamedWithTheirVersion) {
  const DeviceReport report = describe_device("ascend", {});
  EXPECT_EQ(report.problem, "");
  std::vector<std::string> missing;
  for (const SymbolReport& symbol : report.symbols)
    if (symbol.library.empty()) {
      missing.push_back(symbol.name);
      EXPECT_EQ(symbol.since, "9.0") << symbol.name;
    }
  EXPECT_THAT(missing, testing::UnorderedElementsAre(
                           "aclnnDynamicDualLevelMxQuant",
                           "aclnnDynamicDualLevelMxQuantGetWorkspaceSize",
                           "aclnnDualLevelQuantMatmulWeightNz",
                           "aclnnDualLevelQuantMatmulWeightNzGetWorkspaceSize"));
}

TEST(OldCann, OtherModesStillRunAndTheDoctorSaysWhatDoesNot) {
  const auto make = [] { return make_backend("ascend", {}); };
  std::vector<DoctorCheck> done = doctor::device_checks(describe_device("ascend", {}));
  EXPECT_EQ(done[1].outcome, DoctorCheck::Outcome::failed) << "symbols";
  done.clear();
  doctor::run_checks(make, make(), doctor::layer_checks(), {}, done);
  for (const DoctorCheck& check : done) {
    const bool there = check.name != "linear mxfp4_dual" && check.name != "linear int8";
    EXPECT_EQ(check.outcome,
              there ? DoctorCheck::Outcome::passed : DoctorCheck::Outcome::refused)
        << check.name << ": " << check.detail;
    if (check.name == "linear mxfp4_dual") {
      EXPECT_THAT(check.detail, HasSubstr("9.0"));
    }
  }
  EXPECT_EQ(EmulatorControl().broken_rules(), "");
}

}  // namespace
}  // namespace mxdit::ascend
