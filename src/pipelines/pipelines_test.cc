#include <gtest/gtest.h>

#include "io/json_file.h"
#include "pipelines/defaults.h"
#include "pipelines/memory_use.h"
#include "pipelines/pipeline.h"

namespace mxdit {
namespace {

TEST(FamilyDefaults, KnowsTheModelsBySize) {
  const SamplingDefaults a14b = family_defaults({40, 40, 16, true});
  EXPECT_EQ(a14b.family, "Wan2.2-T2V-A14B");
  EXPECT_EQ(a14b.num_inference_steps, 40);
  EXPECT_EQ(a14b.guidance_scale, 4.0);
  EXPECT_EQ(a14b.guidance_scale_2, 3.0);
  EXPECT_EQ(a14b.boundary_ratio, 0.875);
  EXPECT_EQ(a14b.flow_shift, 12.0);
  EXPECT_EQ(family_defaults({30, 12, 16, false}).guidance_scale, 3.0);
  EXPECT_EQ(family_defaults({2, 2, 16, false}).family, "Wan");
}

TEST(ModelDefaults, OverlaysAndChecks) {
  SamplingDefaults defaults = family_defaults({});
  apply_model_defaults(parse_json(R"({"name": "tiny", "defaults": {"width": 64, "fps": 8,
                                      "guidance_scale_2": 2}})", "mxdit.json"),
                       "mxdit.json", defaults);
  EXPECT_EQ(defaults.family, "tiny");
  EXPECT_EQ(defaults.width, 64);
  EXPECT_EQ(defaults.height, 480);
  EXPECT_EQ(defaults.fps, 8.0);
  EXPECT_EQ(defaults.guidance_scale_2, 2.0);
  try {
    apply_model_defaults(parse_json(R"({"defaults": {"width": -1}})", "f"), "f", defaults);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[pipelines] f: defaults.width: expected 1..65536, got -1");
  }
}

TEST(PipelineTest, RefusesAnUnknownClassAndNamesTheKnown) {
  try {
    Pipeline::make("WanVACEPipeline", "m/model_index.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_STREQ(error.what(),
                 "[pipelines] m/model_index.json: _class_name: expected one of WanPipeline, got "
                 "\"WanVACEPipeline\"");
  }
}

TEST(MemoryUse, TellsSomething) {
  RunReport report;
  record_memory_use(report);
  EXPECT_GT(report.peak_resident_bytes, 1u << 20);
  ASSERT_TRUE(available_memory().has_value());
  EXPECT_GT(*available_memory(), 1u << 20);
  EXPECT_GE(total_memory().value(), *available_memory());
}

}  // namespace
}  // namespace mxdit
