#include "perf_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app_error.h"

namespace mxdit::cli {
namespace {

using nlohmann::json;

constexpr const char *kBetter = "✅", *kWorse = "❌", *kSame = "⚪️";
constexpr const char *kFaster = "🟢", *kSlower = "🔴";
constexpr double kRunPercent = 2.0, kStageShare = 0.1, kStageMilliseconds = 120.0;

std::string fixed(double value) {
  char text[48];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

std::string with_sign(double value) {
  char text[48];
  std::snprintf(text, sizeof text, "%+.2f", value);
  return text;
}

double percent(double now, double base) {
  return base == 0 ? 0 : (now - base) / base * 100;
}

std::string percent_text(double now, double base) {
  char text[48];
  std::snprintf(text, sizeof text, "%+.1f%%", percent(now, base));
  return text;
}

const char* run_status(double now, double base) {
  const double change = percent(now, base);
  return change < -kRunPercent ? kBetter : change > kRunPercent ? kWorse : kSame;
}

const char* stage_status(double now, double base) {
  const double margin = std::max(kStageShare * base, kStageMilliseconds);
  return now > base + margin ? kSlower : now < base - margin ? kFaster : kSame;
}

// ---- reading ----

double number(const json& object, const char* key, const std::string& file) {
  const auto value = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || value == object.end() || !value->is_number() ||
      !(value->get<double>() >= 0))
    fail(ErrorKind::bad_input, file, ": ", key, ": expected a number of at least 0, got ",
         !object.is_object() || value == object.end() ? "none" : value->type_name());
  return value->get<double>();
}

std::string text_or(const json& object, const char* key, const std::string& fallback) {
  const auto value = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || value == object.end() || !value->is_string()) return fallback;
  return value->get<std::string>();
}

const json& list(const json& document, const char* key, const std::string& file) {
  static const json empty = json::array();
  const auto value = document.find(key);
  if (value == document.end() || value->is_null()) return empty;
  if (!value->is_array())
    fail(ErrorKind::bad_input, file, ": ", key, ": expected a list, got ", value->type_name());
  return *value;
}

void read_memory(const json& document, PerfRecord& record) {
  const json checkpoint = document.value("memory_checkpoints", json::object());
  if (!checkpoint.is_object() || !checkpoint.contains("after_forward")) return;
  const json& memory = checkpoint["after_forward"];
  const auto read = [&](const char* key, std::optional<double>& target) {
    if (memory.is_object() && memory.contains(key) && memory[key].is_number())
      target = memory[key].get<double>();
  };
  read("peak_resident_mb", record.peak_resident_mb);
  read("peak_anonymous_mb", record.peak_anonymous_mb);
}

// ---- writing ----

double stage_time(const PerfRecord& record, const std::string& name) {
  double sum = 0;
  for (const auto& [stage, duration] : record.stages)
    if (stage == name) sum += duration;
  return sum;
}

// Those of the newest record, then those that only older ones have.
std::vector<std::string> stage_names(const std::vector<PerfRecord>& records) {
  std::vector<std::string> names;
  for (auto record = records.rbegin(); record != records.rend(); ++record)
    for (const auto& [name, duration] : record->stages)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

// Without the first step, which also warms up, when there are more.
double mean_step(const PerfRecord& record) {
  if (record.denoise_steps.empty()) return 0;
  const size_t first = record.denoise_steps.size() > 1 ? 1 : 0;
  double sum = 0;
  for (size_t i = first; i < record.denoise_steps.size(); ++i) sum += record.denoise_steps[i];
  return sum / static_cast<double>(record.denoise_steps.size() - first);
}

// In a Markdown cell: no line break, no bar.
std::string cell(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r' || c == '|') c = ' ';
  return text;
}

void pair_summary(const PerfRecord& base, const PerfRecord& now, std::ostream& out) {
  const auto line = [&](const char* what, double a, double b, const char* status) {
    out << "| **" << what << "** | " << fixed(a) << " ms | " << fixed(b) << " ms | "
        << with_sign(b - a) << " ms (" << percent_text(b, a) << ") | " << status << " |\n";
  };
  out << "| Metric | Baseline | New | Diff | Status |\n|---|---|---|---|---|\n";
  line("E2E Latency", base.total, now.total, run_status(now.total, base.total));
  const auto rate = [](double total) { return total == 0 ? 0 : 1000 / total; };
  out << "| **Throughput** | " << fixed(rate(base.total)) << " req/s | " << fixed(rate(now.total))
      << " req/s | " << percent_text(rate(now.total), rate(base.total)) << " | "
      << run_status(now.total, base.total) << " |\n";
  if (!base.denoise_steps.empty() && !now.denoise_steps.empty())
    line("Denoising Step", mean_step(base), mean_step(now),
         run_status(mean_step(now), mean_step(base)));
  if (base.peak_resident_mb && now.peak_resident_mb)
    out << "| **Peak Memory** | " << fixed(*base.peak_resident_mb) << " MiB | "
        << fixed(*now.peak_resident_mb) << " MiB | "
        << with_sign(*now.peak_resident_mb - *base.peak_resident_mb) << " MiB ("
        << percent_text(*now.peak_resident_mb, *base.peak_resident_mb) << ") | "
        << run_status(*now.peak_resident_mb, *base.peak_resident_mb) << " |\n";
}

void pair_stages(const std::vector<PerfRecord>& records, std::ostream& out) {
  out << "| Stage Name | Baseline (ms) | New (ms) | Diff (ms) | Diff (%) | Status |\n"
      << "|---|---|---|---|---|---|\n";
  for (const std::string& name : stage_names(records)) {
    const double base = stage_time(records[0], name), now = stage_time(records[1], name);
    out << "| " << cell(name) << " | " << fixed(base) << " | " << fixed(now) << " | "
        << with_sign(now - base) << " | " << percent_text(now, base) << " | "
        << stage_status(now, base) << " |\n";
  }
}

void many_header(const char* first, const std::vector<PerfRecord>& records, std::ostream& out) {
  out << "| " << first;
  for (const PerfRecord& record : records) out << " | " << cell(record.file);
  out << " |\n|---";
  for (size_t i = 0; i < records.size(); ++i) out << "|---";
  out << "|\n";
}

template <typename Value, typename Status>
void many_row(const std::string& name, const std::vector<PerfRecord>& records, Value&& value,
              Status&& status, std::ostream& out) {
  const double base = value(records.front());
  out << "| " << cell(name) << " | " << fixed(base) << " ms";
  for (size_t i = 1; i < records.size(); ++i) {
    const double now = value(records[i]);
    out << " | " << fixed(now) << " ms (" << percent_text(now, base) << ") " << status(now, base);
  }
  out << " |\n";
}

void metadata(const std::vector<PerfRecord>& records, std::ostream& out) {
  out << "<details>\n<summary>Metadata</summary>\n\n";
  for (size_t i = 0; i < records.size(); ++i) {
    const PerfRecord& record = records[i];
    const std::string who = i == 0 ? "Baseline" : records.size() == 2 ? "New" : cell(record.file);
    out << "- " << who << " Commit: `" << cell(record.commit) << "`\n";
    if (!record.device.empty()) out << "- " << who << " Device: " << cell(record.device) << "\n";
    if (!record.quantization.empty())
      out << "- " << who << " Quantization: " << cell(record.quantization) << "\n";
  }
  out << "- Timestamp: " << cell(records.back().timestamp) << "\n\n</details>\n";
}

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text)
    safe += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return safe;
}

}  // namespace

PerfRecord read_perf_dump(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(ErrorKind::not_found, path, ": expected a file of --perf-dump-path, got none");
  std::stringstream content;
  content << in.rdbuf();
  const json document = json::parse(content.str(), nullptr, false);
  if (!document.is_object())
    fail(ErrorKind::bad_input, path, ": expected a JSON object, got ",
         document.is_discarded() ? "no JSON" : document.type_name());
  PerfRecord record;
  record.file = std::filesystem::path(path).filename().string();
  record.total = number(document, "total_duration_ms", path);
  for (const json& stage : list(document, "steps", path)) {
    const std::string name = text_or(stage, "name", "");
    if (name.empty()) fail(ErrorKind::bad_input, path, ": steps: expected a name, got none");
    record.stages.emplace_back(name, number(stage, "duration_ms", path));
  }
  for (const json& step : list(document, "denoise_steps_ms", path))
    record.denoise_steps.push_back(number(step, "duration_ms", path));
  read_memory(document, record);
  record.commit = text_or(document, "commit_hash", "N/A");
  record.timestamp = text_or(document, "timestamp", "N/A");
  record.device = text_or(document, "device", "");
  record.quantization = text_or(document.value("meta", json::object()), "quantization", "");
  return record;
}

std::string perf_report(const std::vector<PerfRecord>& records) {
  std::ostringstream out;
  out << "### Performance Comparison Report\n\n#### 1. High-level Summary\n";
  const bool pair = records.size() == 2;
  if (pair) {
    pair_summary(records[0], records[1], out);
  } else {
    many_header("Metric", records, out);
    many_row("**E2E Latency**", records, [](const PerfRecord& r) { return r.total; }, run_status,
             out);
    many_row("**Denoising Step**", records, mean_step, run_status, out);
  }
  out << "\n#### 2. Stage Breakdown\n";
  if (pair) {
    pair_stages(records, out);
  } else {
    many_header("Stage Name", records, out);
    for (const std::string& name : stage_names(records))
      many_row(name, records, [&](const PerfRecord& r) { return stage_time(r, name); },
               stage_status, out);
  }
  out << "\n";
  metadata(records, out);
  return out.str();
}

std::string perf_chart(const std::vector<PerfRecord>& records) {
  constexpr const char* kColours[] = {"#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee",
                                      "#aa3377"};
  constexpr int kLeft = 190, kWidth = 520, kBar = 16, kGap = 14;
  std::vector<std::string> names = stage_names(records);
  double longest = 1e-9;
  for (const PerfRecord& record : records)
    for (const std::string& name : names) longest = std::max(longest, stage_time(record, name));
  std::ostringstream body;
  int y = 16;
  for (size_t i = 0; i < records.size(); ++i, y += 18)
    body << "<rect x=\"" << kLeft << "\" y=\"" << y << "\" width=\"12\" height=\"12\" fill=\""
         << kColours[i % 6] << "\"/><text x=\"" << kLeft + 18 << "\" y=\"" << y + 11 << "\">"
         << escaped(records[i].file) << ", " << fixed(records[i].total) << " ms</text>\n";
  y += kGap;
  for (const std::string& name : names) {
    const int rows = static_cast<int>(records.size());
    body << "<text x=\"" << kLeft - 8 << "\" y=\"" << y + rows * kBar / 2 + 4
         << "\" text-anchor=\"end\">" << escaped(name) << "</text>\n";
    for (size_t i = 0; i < records.size(); ++i, y += kBar) {
      const double time = stage_time(records[i], name);
      const int width = static_cast<int>(std::lround(time / longest * kWidth));
      body << "<rect x=\"" << kLeft << "\" y=\"" << y << "\" width=\"" << width << "\" height=\""
           << kBar - 2 << "\" fill=\"" << kColours[i % 6] << "\"/><text x=\"" << kLeft + width + 6
           << "\" y=\"" << y + 12 << "\">" << fixed(time) << "</text>\n";
    }
    y += kGap;
  }
  std::ostringstream out;
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << kLeft + kWidth + 110
      << "\" height=\"" << y << "\" font-family=\"sans-serif\" font-size=\"12\">\n"
      << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
      << body.str() << "</svg>\n";
  return out.str();
}

}  // namespace mxdit::cli
