#include "engine/memory_plan.h"

#include "io/expect_error.h"

namespace mxdit {
namespace {

MemoryPlan plan(uint64_t weights, uint64_t stage) {
  MemoryPlan made;
  made.stages = {{"DenoisingStage", stage}, {"DecodingStage", stage / 2}};
  made.weight_bytes = weights;
  return made;
}

constexpr uint64_t kGiB = uint64_t{1} << 30, kBeyondAnyMachine = uint64_t{1} << 60;

TEST(MemoryPlanTest, PeakIsTheWidestStageAndWhatStays) {
  MemoryPlan made = plan(3, 8);
  made.resident_bytes = 2;
  EXPECT_EQ(made.peak_bytes(), 13u);
}

TEST(MemoryPlanTest, RefusesWhatIsNotThere) {
  expect_error(ErrorKind::out_of_memory, {"[engine] memory", "(available now)", "DenoisingStage"},
               [] { check_memory(plan(0, kBeyondAnyMachine), 0, false, {}); });
  expect_error(ErrorKind::out_of_memory, {"(--max-memory)", "3.00 GiB"},
               [] { check_memory(plan(kGiB, 2 * kGiB), 2 * kGiB, false, {}); });
  check_memory(plan(kGiB, kGiB), 2 * kGiB, false, {});
}

// A second video on a loaded model: its weights are part of what the machine has given already, but
// still part of what the user allows in all.
TEST(MemoryPlanTest, LoadedWeightsAreNotNeededAgain) {
  check_memory(plan(kBeyondAnyMachine, 1), 0, true, {});
  expect_error(ErrorKind::out_of_memory, {"available now"},
               [] { check_memory(plan(kBeyondAnyMachine, 1), 0, false, {}); });
  expect_error(ErrorKind::out_of_memory, {"--max-memory"},
               [] { check_memory(plan(2 * kGiB, kGiB), 2 * kGiB, true, {}); });
}

}  // namespace
}  // namespace mxdit
