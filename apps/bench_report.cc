#include "bench_report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "mxdit/engine.h"
#include "text_table.h"

namespace mxdit::cli {
namespace {

using nlohmann::ordered_json;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<double> seconds_of(const BenchResult& result) {
  std::vector<double> seconds;
  for (const BenchSample& sample : result.samples) seconds.push_back(sample.seconds);
  return seconds;
}

// Every run has the same parts.
std::vector<double> part_of(const BenchResult& result, size_t part) {
  std::vector<double> seconds;
  for (const BenchSample& sample : result.samples) seconds.push_back(sample.parts[part].second);
  return seconds;
}

size_t parts_of(const BenchResult& result) {
  return result.samples.empty() ? 0 : result.samples.front().parts.size();
}

double tera(double operations, double seconds) {
  return seconds > 0 ? operations / seconds * 1e-12 : 0;
}

std::string digits(double value) {  // four of them
  char text[48];
  std::snprintf(text, sizeof text, "%.*f",
                value >= 1000  ? 0
                : value >= 100 ? 1
                : value >= 10  ? 2
                               : 3,
                value);
  return text;
}

std::string milliseconds(double seconds) {
  return digits(seconds * 1000);
}

std::string value_text(const BenchValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  return std::get<bool>(value) ? "true" : "false";
}

ordered_json bytes_or_null(uint64_t bytes) {
  return bytes == 0 ? ordered_json() : ordered_json(bytes);
}

ordered_json facts_json(const BenchFacts& facts) {
  ordered_json json = {{"command", facts.command}};
  for (const auto& [name, value] : facts.parameters)
    std::visit([&, key = name](const auto& content) { json[key] = content; }, value);
  json["quantization"] = facts.quantization;
  json["dtype"] = facts.dtype;
  json["device"] = facts.device;
  json["isa"] = facts.isa;
  json["threads"] = facts.threads;
  json["version"] = version();
  if (!facts.kernel.empty()) json["kernel"] = facts.kernel;
  json["operations"] = facts.operations;
  return json;
}

void add_memory(const BenchFacts& facts, ordered_json* json) {
  (*json)["peak_resident_bytes"] = bytes_or_null(facts.peak_resident_bytes);
  (*json)["peak_anonymous_bytes"] = bytes_or_null(facts.peak_anonymous_bytes);
}

ordered_json result_json(const BenchResult& result) {
  const std::vector<double> seconds = seconds_of(result);
  ordered_json json = facts_json(result.facts);
  json["seconds"] = seconds;
  if (result.facts.command == "dit") json["forward_seconds"] = seconds;
  if (!seconds.empty()) {
    json["min"] = *std::min_element(seconds.begin(), seconds.end());
    json["median"] = median(seconds);
    json["max"] = *std::max_element(seconds.begin(), seconds.end());
    json["tflops"] = tera(result.facts.operations, median(seconds));
  }
  for (size_t part = 0; part < parts_of(result); ++part)
    json["parts"][result.samples.front().parts[part].first] = part_of(result, part);
  add_memory(result.facts, &json);
  return json;
}

std::string dumped(const ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string bench_json(const std::vector<BenchResult>& results) {
  if (results.size() == 1) return dumped(result_json(results.front()), 2);
  ordered_json json = {{"command", results.front().facts.command}, {"version", version()}};
  json["cases"] = ordered_json::array();
  for (const BenchResult& result : results) json["cases"].push_back(result_json(result));
  return dumped(json, 2);
}

std::string bench_run_json(const BenchResult& result) {
  const BenchSample& sample = result.samples.back();
  ordered_json json = {{"run", result.samples.size()}, {"seconds", sample.seconds}};
  json["tflops"] = tera(result.facts.operations, sample.seconds);
  for (const auto& [name, seconds] : sample.parts) json["parts"][name] = seconds;
  json.update(facts_json(result.facts));
  add_memory(result.facts, &json);
  return dumped(json, -1);
}

std::string bench_text(const std::vector<BenchResult>& results) {
  const BenchResult& first = results.front();
  const BenchFacts& facts = first.facts;
  std::vector<std::string> titles;
  for (const auto& [name, value] : facts.parameters) titles.push_back(">" + name);
  for (const char* title : {">median ms", ">min", ">max", ">TFLOPS"}) titles.emplace_back(title);
  for (size_t part = 0; part < parts_of(first); ++part)
    titles.push_back(">" + first.samples.front().parts[part].first + " ms");
  TextTable table(titles);
  uint64_t anonymous = 0, resident = 0;
  for (const BenchResult& result : results) {
    const std::vector<double> seconds = seconds_of(result);
    std::vector<std::string> cells;
    for (const auto& parameter : result.facts.parameters)
      cells.push_back(value_text(parameter.second));
    cells.push_back(milliseconds(median(seconds)));
    cells.push_back(milliseconds(*std::min_element(seconds.begin(), seconds.end())));
    cells.push_back(milliseconds(*std::max_element(seconds.begin(), seconds.end())));
    cells.push_back(digits(tera(result.facts.operations, median(seconds))));
    for (size_t part = 0; part < parts_of(result); ++part)
      cells.push_back(milliseconds(median(part_of(result, part))));
    table.row(cells);
    anonymous = std::max(anonymous, result.facts.peak_anonymous_bytes);
    resident = std::max(resident, result.facts.peak_resident_bytes);
  }
  std::string text = facts.command + ", " + facts.dtype + ", quantization " + facts.quantization +
                     "; " + facts.device + "; mxdit " + version() + "\n" + table.text(0);
  if (resident > 0) text += "peak memory: " + bytes_text(resident) + " resident";
  if (resident > 0 && anonymous > 0) text += ", " + bytes_text(anonymous) + " anonymous";
  return text + (resident > 0 ? "\n" : "");
}

std::string peak_text(const std::vector<MachinePeak>& peaks) {
  TextTable table({"multiplier", "type", ">threads", ">TOPS"});
  for (const MachinePeak& peak : peaks)
    table.row({peak.isa, peak.type, std::to_string(peak.threads),
               digits(peak.operations_per_second * 1e-12)});
  return table.text(0);
}

std::string peak_json(const std::vector<MachinePeak>& peaks) {
  ordered_json json = {{"command", "peak"}, {"version", version()}};
  json["peaks"] = ordered_json::array();
  for (const MachinePeak& peak : peaks)
    json["peaks"].push_back({{"isa", peak.isa},
                             {"type", peak.type},
                             {"threads", peak.threads},
                             {"operations_per_second", peak.operations_per_second}});
  return dumped(json, 2);
}

}  // namespace mxdit::cli
