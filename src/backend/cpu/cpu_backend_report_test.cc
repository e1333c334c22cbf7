#include <gtest/gtest.h>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/isa.h"

namespace mxdit::cpu {
namespace {

TEST(CpuBackendReport, ListsTheTablesOfTheBuildAndTheOneInUse) {
  for (const KernelTable& forced : built_tables()) {
    if (!runs_here(forced)) continue;
    const DeviceReport report = CpuBackend({2, forced.name}).report();
    ASSERT_EQ(report.kernels.size(), built_tables().size());
    for (size_t i = 0; i < report.kernels.size(); ++i) {
      const KernelsReport& kernels = report.kernels[i];
      EXPECT_EQ(kernels.name, built_tables()[i].name);
      EXPECT_EQ(kernels.chosen, kernels.name == forced.name);
      EXPECT_EQ(kernels.runs_here, kernels.why_absent.empty()) << kernels.name;
    }
    EXPECT_EQ(report.device, "cpu");
    EXPECT_EQ(report.chosen_by, "--isa");
    EXPECT_EQ(report.threads, 2);
    EXPECT_GE(report.processors, 1);
  }
}

TEST(CpuBackendReport, SaysWhatEveryProductRunsOn) {
  const CpuBackend backend({1, "scalar"});
  const DeviceReport report = backend.report();
  std::vector<std::string> products;
  for (const ProductReport& product : report.products) {
    products.push_back(product.product);
    EXPECT_NE(product.kernel.find("scalar"), std::string::npos) << product.product;
    const size_t without_int8 = product.product.ends_with("int8") ? 1 : 0;  // says so
    EXPECT_EQ(product.passed_over.size(), built_tables().size() - 1 + without_int8)
        << product.product;
  }
  EXPECT_EQ(products, (std::vector<std::string>{"linear, bf16 weights", "linear, fp32 weights",
                                                "linear, mxfp4_npu", "linear, mxfp4",
                                                "linear, mxfp8", "attention",
                                                "attention, --attention-precision int8", "conv3d"}));
  EXPECT_EQ(report.products[0].kernel, backend.linear_kernel(DType::bf16, 5120, 5120, {}).kernel);
}

TEST(CpuBackendReport, NamesTheTypeThatProductsMultiplyIn) {
  const auto kernel_of = [](const char* table, const char* product) -> std::string {
    for (const ProductReport& entry : CpuBackend({1, table}).report().products)
      if (entry.product == product) return entry.kernel;
    return "";
  };
  EXPECT_EQ(kernel_of("scalar", "attention"), "fp32 scalar");
  EXPECT_EQ(kernel_of("scalar", "conv3d"), "fp32 scalar");
  int with_attention = 0;
  for (const KernelTable& table : built_tables()) {
    if (!runs_here(table) || table.attention.attend == nullptr) continue;
    ++with_attention;
    EXPECT_EQ(kernel_of(table.name, "attention"), std::string("bf16 ") + table.name);
  }
  if (with_attention == 0) GTEST_SKIP() << "no table here has attention of its own";
}

TEST(CpuBackendReport, CachesHaveALevelAndASize) {
  for (const CacheReport& cache : CpuBackend({1, "scalar"}).report().caches) {
    EXPECT_GE(cache.level, 1);
    EXPECT_LE(cache.level, 5);
    EXPECT_GE(cache.bytes, 1u << 10);
  }
}

}  // namespace
}  // namespace mxdit::cpu
