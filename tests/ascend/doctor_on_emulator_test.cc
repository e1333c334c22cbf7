// The doctor's checks on the emulator: an independent reading of CANN's operators.
#include <gtest/gtest.h>

#include "backend/registry.h"
#include "doctor/check.h"

namespace mxdit::doctor {
namespace {

TEST(DoctorOnEmulator, EverythingIsHealthy) {
  const auto make = [] { return make_backend("ascend", {}); };
  std::vector<DoctorCheck> done = device_checks(describe_device("ascend", {}));
  EXPECT_EQ(done.size(), 4u);
  run_checks(make, make(), all_checks(), {}, done);
  for (const DoctorCheck& check : done) {
    // Integer rows are no format of CANN's operators.
    const auto expected = check.name == "linear int8" ? DoctorCheck::Outcome::refused
                                                      : DoctorCheck::Outcome::passed;
    EXPECT_EQ(check.outcome, expected) << check.name << ": " << check.detail;
    std::printf("  %-40s %s\n", check.name.c_str(), check.detail.c_str());
  }
}

}  // namespace
}  // namespace mxdit::doctor
