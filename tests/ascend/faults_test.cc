// The embedded model on the emulated Ascend 950 with faults injected, other processors and other
// schedules: one clear error each, nothing left behind, and the next job runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "ascend/emulator_control.h"
#include "mxdit/engine.h"

namespace mxdit::ascend {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

EmulatorControl& emulator() {
  static EmulatorControl control;
  return control;
}

class AscendFaults : public ::testing::Test {
 protected:
  void SetUp() override { emulator().reset(); }
  void TearDown() override {
    EXPECT_EQ(emulator().broken_rules(), "");
    EXPECT_EQ(emulator().counter("bytes"), 0u) << "device memory left behind";
  }

  static EngineOptions options(const std::string& quantization = "") {
    EngineOptions options;
    options.model_path = std::string(MXDIT_SOURCE_DIR) + "/models/tiny";
    options.device = "ascend";
    options.quantization = quantization;
    return options;
  }
  static GenerateRequest request() {
    GenerateRequest request;
    request.prompts = {"red dots on a blue background moving left"};
    request.num_frames = 5;
    request.num_inference_steps = 2;
    return request;
  }
  // The frames of a run.
  std::vector<uint8_t> frames(const EngineOptions& options) {
    return Engine(options).generate(request()).videos.at(0).video.rgb;
  }
  // The message of a run that has to fail, on an engine of its own.
  static std::string failure(const char* setting, const std::string& value, ErrorKind kind,
                             const std::string& quantization = "") {
    emulator().reset();
    emulator().set(setting, value.c_str());
    try {
      Engine(options(quantization)).generate(request());
      ADD_FAILURE() << setting << " " << value << ": nothing failed";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    return "";
  }
};

TEST_F(AscendFaults, KernelsThatFailAreNamedAtTheNextWait) {
  for (const char* kernel : {"aclnnRmsNorm:5", "aclnnConvolution:3", "aclnnFlashAttentionScoreV4:2",
                             "aclnnInplaceCopy:9"})
    EXPECT_THAT(failure("kernel_fails", kernel, ErrorKind::internal),
                AllOf(HasSubstr("[backend] ascend"), HasSubstr("507015")))
        << kernel;
  EXPECT_THAT(failure("kernel_fails", "aclnnDualLevelQuantMatmulWeightNz:4", ErrorKind::internal,
                      "mxfp4_npu"),
              HasSubstr("507015"));
}

TEST_F(AscendFaults, RefusedCallsCarryTheMessageOfCann) {
  EXPECT_THAT(failure("plan_fails", "aclnnAdd:561003:7", ErrorKind::unsupported),
              HasSubstr("561003: aclnnAdd"));
  EXPECT_THAT(failure("plan_fails", "aclnnAdd:561103:7", ErrorKind::internal),
              HasSubstr("561103: aclnnAdd"));
  EXPECT_THAT(failure("plan_fails", "aclnnNpuFormatCast:561002:2", ErrorKind::internal, "mxfp8"),
              HasSubstr("aclnnNpuFormatCast"));
}

TEST_F(AscendFaults, MemoryThatDoesNotSufficeIsTold) {
  EXPECT_THAT(failure("memory", "3000000", ErrorKind::out_of_memory), HasSubstr("bytes"));
}

// The pool gives back what it does not need, and asks again.
TEST_F(AscendFaults, OneAllocationThatFailsIsSurvived) {
  const std::vector<uint8_t> expected = frames(options());
  emulator().reset();
  emulator().set("malloc_fails", "3");
  EXPECT_EQ(frames(options()), expected);
}

TEST_F(AscendFaults, DevicesThatAreNotThere) {
  EXPECT_THAT(failure("devices", "0", ErrorKind::not_found), HasSubstr("ascend"));
  EXPECT_THAT(failure("init_fails", "507899", ErrorKind::internal), HasSubstr("507899"));
}

// What a server needs: a job that failed on the device ends its engine, not the process.
TEST_F(AscendFaults, TheNextJobRuns) {
  const std::vector<uint8_t> expected = frames(options("mxfp4_npu"));
  emulator().set("kernel_fails", "aclnnDynamicDualLevelMxQuant:40");
  EXPECT_THROW(frames(options("mxfp4_npu")), Error);
  EXPECT_EQ(frames(options("mxfp4_npu")), expected);
}

TEST_F(AscendFaults, OtherProcessorsRefuseTheDualLevelOnly) {
  EXPECT_THAT(failure("soc", "Ascend910B3", ErrorKind::unsupported, "mxfp4_npu"),
              AllOf(HasSubstr("Ascend910B3"), HasSubstr("Ascend 950")));
  EXPECT_FALSE(frames(options()).empty());
}

// Work that starts only when it is waited for shows every synchronization that is missing.
TEST_F(AscendFaults, LazyQueuesChangeNothing) {
  for (const char* key : {"", "mxfp8", "mxfp4_npu"}) {
    emulator().reset();
    const std::vector<uint8_t> expected = frames(options(key));
    emulator().reset();
    emulator().set("start", "lazy");
    EXPECT_EQ(frames(options(key)), expected) << key;
  }
}

// FRACTAL_NZ permuted on the host instead of by the device's cast.
TEST_F(AscendFaults, HostPermutationChangesNothing) {
  for (const char* key : {"", "mxfp8", "mxfp4_npu"}) {
    emulator().reset();
    const std::vector<uint8_t> expected = frames(options(key));
    emulator().reset();
    emulator().set("host_nz", "1");
    ASSERT_EQ(setenv("MXDIT_ASCEND_NZ", "host", 1), 0);
    EXPECT_EQ(frames(options(key)), expected) << key;
    unsetenv("MXDIT_ASCEND_NZ");
  }
}

}  // namespace
}  // namespace mxdit::ascend
