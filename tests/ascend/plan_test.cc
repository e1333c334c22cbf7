// Planning a run on a device with memory of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ascend/emulator_control.h"
#include "mxdit/engine.h"

namespace mxdit::ascend {
namespace {

class AscendPlanTest : public testing::Test {
 protected:
  void SetUp() override { emulator_.reset(); }
  void TearDown() override { emulator_.reset(); }
  static EngineOptions options() {
    EngineOptions options;
    options.model_path = MXDIT_SOURCE_DIR "/models/tiny";
    options.device = "ascend:1";
    return options;
  }
  static GenerateRequest request() {
    GenerateRequest request;
    request.prompts = {"red dots on a blue background moving left"};
    request.num_inference_steps = 1;
    return request;
  }
  EmulatorControl emulator_;
};

TEST_F(AscendPlanTest, CountsTheDevicesMemory) {
  const Engine engine(options());
  const RunPlan plan = engine.plan(request());
  EXPECT_TRUE(plan.on_device);
  EXPECT_TRUE(plan.fits);
  EXPECT_EQ(plan.available_bytes, uint64_t{32} << 30);
  for (const StagePlan& stage : plan.stages) {
    if (stage.name != "LoadingStage") {
      EXPECT_EQ(stage.mapped_bytes, 0u) << stage.name;
    }
    for (const PlannedBytes& part : stage.memory) {
      EXPECT_NE(part.what, "program");
      EXPECT_NE(part.what, "finished videos");
    }
  }
}

TEST_F(AscendPlanTest, TheEstimateHoldsAndTooSmallADeviceIsRefusedBefore) {
  uint64_t planned = 0;
  {
    Engine engine(options());
    planned = engine.plan(request()).peak_bytes();
    engine.generate(request());
    EXPECT_LE(emulator_.counter("peak_bytes"), planned);
  }
  emulator_.reset();
  emulator_.set("memory", std::to_string(planned / 2).c_str());
  Engine engine(options());
  try {
    engine.generate(request());
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
    EXPECT_THAT(error.what(), testing::HasSubstr("(free on the device now)"));
  }
}

}  // namespace
}  // namespace mxdit::ascend
