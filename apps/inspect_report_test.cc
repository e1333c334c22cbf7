#include "inspect_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "text_table.h"

namespace mxdit::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

LayerReport layer(const std::string& name, const std::string& type) {
  return {"transformer", name, 8, 4, type, "method", "because", "fp32 scalar", {"fast: no"}, 100, 5};
}

ModelReport sample() {
  ModelReport report;
  report.info = {"wan", "models/wan", "abc", false, "cpu: scalar", "bf16", "modelslim", ""};
  report.class_name = "WanPipeline";
  ComponentReport component;
  component.name = "transformer";
  component.dtypes["BF16"] = {3, 192};
  component.stored_bytes = 192;
  component.quantization = "modelslim";
  component.quantization_source = "description.json";
  component.considered = {"--quantization: not given"};
  report.components = {component};
  for (const char* name : {"blocks.0.to_q", "blocks.1.to_q", "blocks.3.to_q"})
    report.layers.push_back(layer(name, "W8A8"));
  report.layers.push_back(layer("blocks.2.to_q", "FLOAT"));
  report.layers.push_back(layer("proj_out", "FLOAT"));
  return report;
}

TEST(InspectReport, MergesBlocksThatAgree) {
  const std::string text = report_text(sample(), false);
  EXPECT_THAT(text, HasSubstr("blocks.0-1,3.to_q"));
  EXPECT_THAT(text, HasSubstr("300 B"));
  EXPECT_THAT(text, HasSubstr("blocks.2.to_q"));
  EXPECT_THAT(text, HasSubstr("transformer: modelslim, by description.json"));
  EXPECT_THAT(text, HasSubstr("method: because"));
  EXPECT_THAT(text, HasSubstr("fast: no"));
  EXPECT_THAT(report_text(sample(), true), HasSubstr("blocks.3.to_q"));
  EXPECT_THAT(report_text(sample(), true), Not(HasSubstr("0-1")));
}

TEST(InspectReport, JsonHoldsEveryLayer) {
  const auto json = nlohmann::json::parse(report_json(sample()));
  EXPECT_EQ(json["layers"].size(), 5u);
  EXPECT_EQ(json["layers"][0]["type"], "W8A8");
  EXPECT_EQ(json["components"][0]["dtypes"]["BF16"]["tensors"], 3);
  EXPECT_EQ(json["components"][0]["quantization"]["considered"][0], "--quantization: not given");
}

TEST(TextTable, AlignsAndTrims) {
  TextTable table({"a", ">long"});
  table.row({"xyz", "1"});
  EXPECT_EQ(table.text(1), " a    long\n xyz     1\n");
  EXPECT_EQ(bytes_text(640), "640 B");
  EXPECT_EQ(bytes_text(1536), "1.50 KiB");
  EXPECT_EQ(bytes_text(uint64_t{12} << 20), "12.0 MiB");
}

}  // namespace
}  // namespace mxdit::cli
