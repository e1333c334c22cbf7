#include "device_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "text_table.h"

namespace mxdit::cli {
namespace {

std::string kernels_text(const DeviceReport& report) {
  TextTable table({"kernels, best first", "here", ""});
  for (const KernelsReport& kernels : report.kernels)
    table.row({kernels.name, kernels.runs_here ? "yes" : "no",
               kernels.chosen ? "in use: " + report.chosen_by : kernels.why_absent});
  return table.text(2);
}

std::string products_text(const DeviceReport& report) {
  TextTable table({"product", "kernel"});
  std::vector<std::string> notes;
  for (const ProductReport& product : report.products) {
    table.row({product.product, product.kernel});
    for (const std::string& note : product.passed_over)
      if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
  }
  std::string text = table.text(2);
  if (!notes.empty()) text += "\nwhy not faster kernels:\n";
  for (const std::string& note : notes) text += "  " + note + "\n";
  return text;
}

std::string caches_text(const DeviceReport& report) {
  TextTable table({"cache", ">size", "shared by processors"});
  for (const CacheReport& cache : report.caches)
    table.row({"L" + std::to_string(cache.level) + " " + cache.type, bytes_text(cache.bytes),
               cache.processors});
  return table.text(2);
}

std::string libraries_text(const DeviceReport& report) {
  TextTable table({"library", "found in"});
  for (const LibraryReport& library : report.libraries)
    table.row({library.name, library.why_absent.empty() ? library.path : "-"});
  return table.text(2);
}

// Those that are missing, and how many are not.
std::string symbols_text(const DeviceReport& report) {
  TextTable table({"missing symbol", "since version", "needed for"});
  size_t found = 0;
  for (const SymbolReport& symbol : report.symbols) {
    if (symbol.library.empty())
      table.row({symbol.name, symbol.since, symbol.needed_for});
    else
      ++found;
  }
  const std::string text = "  symbols  " + std::to_string(found) + " of " +
                           std::to_string(report.symbols.size()) + " found\n";
  return found == report.symbols.size() ? text : text + "\n" + table.text(2);
}

std::string memory_text(const DeviceReport& report) {
  if (!report.memory_bytes || !report.available_bytes) return "unknown";
  return bytes_text(*report.memory_bytes) + ", available now " +
         bytes_text(*report.available_bytes);
}

nlohmann::ordered_json or_null(const std::optional<uint64_t>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

nlohmann::ordered_json kernels_json(const DeviceReport& report) {
  auto list = nlohmann::ordered_json::array();
  for (const KernelsReport& kernels : report.kernels)
    list.push_back({{"name", kernels.name},
                    {"runs_here", kernels.runs_here},
                    {"chosen", kernels.chosen},
                    {"why_absent", kernels.why_absent}});
  return list;
}

nlohmann::ordered_json products_json(const DeviceReport& report) {
  auto list = nlohmann::ordered_json::array();
  for (const ProductReport& product : report.products)
    list.push_back({{"product", product.product},
                    {"kernel", product.kernel},
                    {"passed_over", product.passed_over}});
  return list;
}

nlohmann::ordered_json libraries_json(const DeviceReport& report) {
  auto list = nlohmann::ordered_json::array();
  for (const LibraryReport& library : report.libraries)
    list.push_back({{"name", library.name},
                    {"path", library.path},
                    {"why_absent", library.why_absent}});
  return list;
}

nlohmann::ordered_json symbols_json(const DeviceReport& report) {
  auto list = nlohmann::ordered_json::array();
  for (const SymbolReport& symbol : report.symbols)
    list.push_back({{"name", symbol.name},
                    {"since", symbol.since},
                    {"needed_for", symbol.needed_for},
                    {"library", symbol.library},
                    {"required", symbol.required}});
  return list;
}

nlohmann::ordered_json caches_json(const DeviceReport& report) {
  auto list = nlohmann::ordered_json::array();
  for (const CacheReport& cache : report.caches)
    list.push_back({{"level", cache.level},
                    {"type", cache.type},
                    {"bytes", cache.bytes},
                    {"processors", cache.processors}});
  return list;
}

}  // namespace

std::string device_text(const DeviceReport& report) {
  std::string text = report.device;
  if (!report.processor.empty()) text += ": " + report.processor;
  if (!report.problem.empty()) text += "\n  cannot be used: " + report.problem;
  if (report.threads > 0)
    text += "\n  threads  " + std::to_string(report.threads) + " of " +
            std::to_string(report.processors) + " processors";
  text += "\n  memory   " + memory_text(report) + "\n";
  if (!report.symbols.empty()) text += symbols_text(report);
  if (!report.libraries.empty()) text += "\n" + libraries_text(report);
  if (!report.kernels.empty()) text += "\n" + kernels_text(report);
  if (!report.products.empty()) text += "\n" + products_text(report);
  if (!report.caches.empty()) text += "\n" + caches_text(report);
  return text;
}

std::string device_json(const DeviceReport& report) {
  nlohmann::ordered_json json = {{"device", report.device},
                                       {"processor", report.processor},
                                       {"threads", report.threads},
                                       {"processors", report.processors},
                                       {"memory_bytes", or_null(report.memory_bytes)},
                                       {"available_bytes", or_null(report.available_bytes)},
                                       {"chosen_by", report.chosen_by},
                                       {"kernels", kernels_json(report)},
                                       {"products", products_json(report)},
                                       {"caches", caches_json(report)}};
  if (!report.libraries.empty()) {
    json["libraries"] = libraries_json(report);
    json["symbols"] = symbols_json(report);
    json["problem"] = report.problem;
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace mxdit::cli
