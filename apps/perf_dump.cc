#include "perf_dump.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "app_error.h"
#include "build_info.h"

namespace fs = std::filesystem;

namespace mxdit::cli {
namespace {

using nlohmann::json;

std::string utc_text(std::time_t time) {
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[40];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+00:00", &utc);
  return text;
}

// 128 random bits: dumps of many runs are collected in one folder.
std::string request_id() {
  std::random_device random;
  char text[33];
  std::snprintf(text, sizeof(text), "%08x%08x%08x%08x", random(), random(), random(), random());
  return text;
}

double milliseconds(double seconds) {
  return seconds * 1000;
}

// 0 stands for "the system does not tell".
json megabytes(uint64_t bytes) {
  return bytes == 0 ? json() : json(static_cast<double>(bytes) / (1024.0 * 1024.0));
}

template <typename T>
json value_or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

json counters_json(const DeviceCounters& counters) {
  return {{"operator_calls", counters.operator_calls},
          {"synchronizations", counters.synchronizations},
          {"allocations", counters.allocations},
          {"allocated_bytes", counters.allocated_bytes},
          {"copied_bytes", counters.copied_bytes}};
}

json meta_json(const PerfDump& dump) {
  const GenerateRequest& r = dump.request;
  return {{"prompt", r.prompts.size() == 1 ? json(r.prompts.front()) : json(r.prompts)},
          {"model", dump.engine.model_name},
          {"model_path", dump.engine.model_path},
          {"model_hash", dump.engine.model_hash},
          {"dtype", dump.engine.dtype},
          {"attention_precision", dump.engine.attention_precision},
          {"quantization", dump.engine.quantization},
          {"width", value_or_null(r.width)},
          {"height", value_or_null(r.height)},
          {"num_frames", value_or_null(r.num_frames)},
          {"num_inference_steps", value_or_null(r.num_inference_steps)},
          {"guidance_scale", value_or_null(r.guidance_scale)},
          {"guidance_scale_2", value_or_null(r.guidance_scale_2)},
          {"seed", value_or_null(r.seed)},
          {"num_outputs_per_prompt", r.num_outputs_per_prompt}};
}

std::string temporary_name(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return ((parent.empty() ? fs::path(".") : parent) /
          (".mxdit-perf-" + std::to_string(getpid()) + ".tmp"))
      .string();
}

[[noreturn]] void fail_to_write(const std::string& path, const std::string& reason) {
  fail(ErrorKind::io, "--perf-dump-path ", path, ": expected to be writable, got: ", reason);
}

// Writes the temporary file; removes it again when it could not be completed.
void write_temporary(const std::string& path, const std::string& temporary,
                     const std::string& text) {
  std::error_code error;
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  if (error) fail_to_write(path, error.message());
  if (fs::is_directory(path, error)) fail_to_write(path, "it is a folder");
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) fail_to_write(path, std::strerror(errno));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = std::fclose(file) == 0;
  if (written && closed) return;
  const std::string reason = std::strerror(errno);
  std::remove(temporary.c_str());
  fail_to_write(path, reason);
}

}  // namespace

std::string perf_dump_json(const PerfDump& dump) {
  json steps = json::array(), denoise_steps = json::array();
  for (const StageTime& stage : dump.report.stages)
    steps.push_back({{"name", stage.name}, {"duration_ms", milliseconds(stage.seconds)}});
  for (size_t i = 0; i < dump.report.denoise_step_seconds.size(); ++i) {
    denoise_steps.push_back(
        {{"step", i}, {"duration_ms", milliseconds(dump.report.denoise_step_seconds[i])}});
    if (i < dump.report.denoise_step_counters.size())
      denoise_steps.back()["device"] = counters_json(dump.report.denoise_step_counters[i]);
  }
  const json document = {
      {"timestamp", utc_text(dump.finished)},
      {"request_id", request_id()},
      {"commit_hash", kCommit},
      {"tag", "cli_generate"},
      {"total_duration_ms", milliseconds(dump.report.total_seconds)},
      {"steps", steps},
      {"denoise_steps_ms", denoise_steps},
      {"memory_checkpoints",
       {{"after_forward",
         {{"peak_resident_mb", megabytes(dump.report.peak_resident_bytes)},
          {"peak_anonymous_mb", megabytes(dump.report.peak_anonymous_bytes)}}}}},
      {"meta", meta_json(dump)},
      {"device", dump.engine.device},
      {"versions", {{"mxdit", version()}, {"compiler", kCompiler}, {"build_type", kBuildType}}}};
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void check_perf_dump_path(const std::string& path) {
  const std::string temporary = temporary_name(path);
  write_temporary(path, temporary, "");
  std::remove(temporary.c_str());
}

void write_perf_dump(const std::string& path, const PerfDump& dump) {
  const std::string temporary = temporary_name(path);
  write_temporary(path, temporary, perf_dump_json(dump));
  if (std::rename(temporary.c_str(), path.c_str()) == 0) return;
  const std::string reason = std::strerror(errno);
  std::remove(temporary.c_str());
  fail_to_write(path, reason);
}

}  // namespace mxdit::cli
