// What `mxdit inspect --device` shows of the CPU back end.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "backend/cpu/attention_dots.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/isa.h"

namespace mxdit::cpu {
namespace {

// The widest square layer of the Wan models: kernels may depend on the extents.
constexpr int64_t kFeatures = 5120;

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// "48K", "2048K", "36M" as sysfs writes them; 0 for anything else.
uint64_t size_of(const std::string& text) {
  size_t used = 0;
  uint64_t value = 0;
  try {
    value = std::stoull(text, &used);
  } catch (const std::exception&) {
    return 0;
  }
  const std::string unit = text.substr(used);
  if (unit.empty()) return value;
  if (unit == "K") return value << 10;
  return unit == "M" ? value << 20 : unit == "G" ? value << 30 : 0;
}

std::vector<CacheReport> caches() {
  std::vector<CacheReport> found;
  for (int index = 0; index < 16; ++index) {
    const std::filesystem::path folder =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    const uint64_t bytes = size_of(first_line(folder / "size"));
    if (bytes == 0) break;
    found.push_back({static_cast<int>(size_of(first_line(folder / "level"))),
                     first_line(folder / "type"), bytes, first_line(folder / "shared_cpu_list")});
  }
  return found;
}

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line)) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

// Who decided which kernels are in use.
std::string chosen_by(const std::string& forced) {
  if (!forced.empty()) return "--isa";
  const char* environment = std::getenv("MXDIT_ISA");
  return environment != nullptr && *environment != '\0' ? "MXDIT_ISA" : "the best that runs here";
}

std::string widened(const KernelTable& kernels) {
  return std::string("fp32 ") + kernels.name;
}

}  // namespace

KernelChoice CpuBackend::conv3d_kernel(DType type) const {
  const bool is_bf16 = type == DType::bf16 && kernels_.dots.multiply != nullptr;
  return {is_bf16 ? std::string("bf16 ") + kernels_.name : widened(kernels_),
          passed_over(kernels_)};
}

DeviceReport CpuBackend::report() const {
  DeviceReport report;
  report.device = name();
  report.processor = processor_name();
  report.chosen_by = chosen_by(forced_);
  for (const KernelTable& table : built_tables())
    report.kernels.push_back(
        {table.name, runs_here(table), &table == &kernels_, why_absent(table)});
  const auto add = [&](const char* product, const KernelChoice& choice) {
    report.products.push_back({product, choice.kernel, choice.passed_over});
  };
  const auto quantized = [&](const QuantFormat& format) {
    return quantized_kernel(format, format, kFeatures, kFeatures);
  };
  add("linear, bf16 weights", linear_kernel(DType::bf16, kFeatures, kFeatures, {.bias = true}));
  add("linear, fp32 weights", linear_kernel(DType::f32, kFeatures, kFeatures, {.bias = true}));
  add("linear, mxfp4_npu", quantized(kMxfp4Dual));
  add("linear, mxfp4", quantized(kMxfp4));
  add("linear, mxfp8", quantized(kMxfp8));
  add("attention", attention_kernel(DType::bf16, false, AttentionPrecision::bf16));
  add("attention, --attention-precision int8",
      attention_kernel(DType::bf16, false, AttentionPrecision::int8));
  add("conv3d", conv3d_kernel(DType::bf16));
  report.threads = threads_.size();
  report.processors = usable_processors();
  report.caches = caches();
  return report;
}

}  // namespace mxdit::cpu
