#include "backend/ascend/cann/libraries.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>

#include "core/error.h"

namespace mxdit::ascend::cann {
namespace {

constexpr const char* kRuntimeLibraries[] = {"libacl_rt.so", "libascendcl.so"};
constexpr const char* kObjectLibrary = "libnnopbase.so";
constexpr const char* kOperatorLibraries[] = {"libopapi_nn.so", "libopapi_math.so",
                                              "libopapi_transformer.so", "libopapi.so"};
// The oldest CANN for the A5 generation: upper bound where the first version is not known.
constexpr const char* kOldest = "8.5";
constexpr const char* kFormatCastSize = "aclnnNpuFormatCastCalculateSizeAndFormat";

struct OperatorRow {
  const char* name;
  const char* since;
  const char* needed_for;
};

constexpr OperatorRow kRows[] = {
#define MXDIT_CANN_ROW(identifier, symbol, since, use, ...) {#symbol, since, use},
    MXDIT_CANN_OPERATORS(MXDIT_CANN_ROW)
#undef MXDIT_CANN_ROW
};

class SystemLoader final : public LibraryLoader {
 public:
  void* open(const std::string& name, std::string* why) override {
    void* library = dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (library == nullptr) {
      const char* reason = dlerror();
      *why = reason == nullptr ? "it cannot be opened" : reason;
    }
    return library;
  }
  void* symbol(void* library, const char* name) override { return dlsym(library, name); }
  std::string path(void* library) override {
    link_map* map = nullptr;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) return "";
    return map->l_name == nullptr ? "" : map->l_name;
  }
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? std::string(name) + " is not set"
                                            : std::string(name) + " is " + value;
}

// What a person looks at when libraries are missing.
std::string environment() {
  return variable("ASCEND_HOME_PATH") + ", " + variable("ASCEND_OPP_PATH") +
         "; set_env.sh of a CANN installation sets both and LD_LIBRARY_PATH";
}

}  // namespace

LibraryLoader& system_loader() {
  static SystemLoader loader;
  return loader;
}

const char* name(OperatorId id) noexcept {
  return kRows[static_cast<size_t>(id)].name;
}

std::shared_ptr<const Libraries> Libraries::look(LibraryLoader& loader) {
  auto libraries = std::make_shared<Libraries>();
  libraries->open_all(loader);
  libraries->look_up_functions(loader);
  libraries->look_up_operators(loader);
  return libraries;
}

std::shared_ptr<const Libraries> Libraries::open(LibraryLoader& loader) {
  auto libraries = look(loader);
  const std::string why = libraries->why_unusable();
  if (!why.empty()) fail(ErrorKind::unsupported, why);
  return libraries;
}

void* Libraries::open_one(LibraryLoader& loader, const std::string& name) {
  LibraryReport report{name, "", ""};
  void* library = loader.open(name, &report.why_absent);
  const char* home = std::getenv("ASCEND_HOME_PATH");
  if (library == nullptr && home != nullptr && *home != '\0') {
    std::string ignored;  // the first reason names the library as one would look for it
    library = loader.open(std::string(home) + "/lib64/" + name, &ignored);
  }
  if (library != nullptr) {
    report.path = loader.path(library);
    report.why_absent.clear();
    opened_.push_back({name, library});
  }
  libraries_.push_back(std::move(report));
  return library;
}

void Libraries::open_all(LibraryLoader& loader) {
  for (const char* name : kRuntimeLibraries)
    if (open_one(loader, name) != nullptr) break;
  open_one(loader, kObjectLibrary);
  for (const char* name : kOperatorLibraries) open_one(loader, name);
}

void* Libraries::look_up(LibraryLoader& loader, const char* symbol, SymbolReport report) {
  report.name = symbol;
  void* found = nullptr;
  for (const Opened& library : opened_) {
    found = loader.symbol(library.handle, symbol);
    if (found == nullptr) continue;
    report.library = library.name;
    break;
  }
  symbols_.push_back(std::move(report));
  return found;
}

void Libraries::look_up_functions(LibraryLoader& loader) {
  const auto required = [&](const char* symbol, const char* needed_for) {
    return look_up(loader, symbol, {"", kOldest, needed_for, "", true});
  };
#define MXDIT_CANN_LOOK_UP(member, symbol, result, parameters) \
  functions_.member = reinterpret_cast<decltype(functions_.member)>(required(#symbol, kNeededFor));
  {
    constexpr const char* kNeededFor = "devices, streams and memory";
    MXDIT_CANN_RUNTIME_FUNCTIONS(MXDIT_CANN_LOOK_UP)
  }
  {
    constexpr const char* kNeededFor = "arguments of operators";
    MXDIT_CANN_OBJECT_FUNCTIONS(MXDIT_CANN_LOOK_UP)
  }
#undef MXDIT_CANN_LOOK_UP
  functions_.format_cast_size = reinterpret_cast<decltype(functions_.format_cast_size)>(
      look_up(loader, kFormatCastSize, {"", kOldest, "weights in FRACTAL_NZ", "", false}));
}

// An operator is there when both phases are, from one library or two.
void Libraries::look_up_operators(LibraryLoader& loader) {
  for (size_t i = 0; i < kOperators; ++i) {
    const OperatorRow& row = kRows[i];
    const std::string plan = std::string(row.name) + "GetWorkspaceSize";
    OperatorFunctions functions;
    functions.plan = look_up(loader, plan.c_str(), {"", row.since, row.needed_for, "", false});
    functions.launch = reinterpret_cast<LaunchFunction>(
        look_up(loader, row.name, {"", row.since, row.needed_for, "", false}));
    if (functions.plan != nullptr && functions.launch != nullptr) operators_[i] = functions;
  }
}

std::string Libraries::why_absent(OperatorId id) const {
  if (has(id)) return "";
  const OperatorRow& row = kRows[static_cast<size_t>(id)];
  return std::string(row.name) + " (" + row.needed_for + "): expected CANN " + row.since +
         " or newer, got libraries without it";
}

const OperatorFunctions& Libraries::find(OperatorId id) const {
  if (!has(id)) fail(ErrorKind::unsupported, "[backend] ascend: ", why_absent(id));
  return operators_[static_cast<size_t>(id)];
}

std::string Libraries::why_unusable() const {
  const auto opened = [&](auto&& names) {
    for (const Opened& library : opened_)
      for (const char* name : names)
        if (library.name == name) return true;
    return false;
  };
  std::string missing;
  const auto need = [&](bool there, const char* what) {
    if (!there) missing += (missing.empty() ? "" : ", ") + std::string(what);
  };
  need(opened(kRuntimeLibraries), "libacl_rt.so (or libascendcl.so)");
  need(opened(std::array{kObjectLibrary}), kObjectLibrary);
  need(opened(kOperatorLibraries), "libopapi_nn.so (or libopapi.so)");
  if (!missing.empty()) {
    std::string reason;
    for (const LibraryReport& library : libraries_)
      if (reason.empty()) reason = library.why_absent;
    return "[backend] ascend: CANN: expected " + missing + ", got none: " + reason + " (" +
           environment() + ")";
  }
  for (const SymbolReport& symbol : symbols_)
    if (symbol.required && symbol.library.empty())
      return "[backend] ascend: " + symbol.name + " (" + symbol.needed_for + "): expected CANN " +
             symbol.since + " or newer, got libraries without it (" + environment() + ")";
  return "";
}

void describe(const Libraries& libraries, DeviceReport& report) {
  report.libraries = libraries.libraries();
  report.symbols = libraries.symbols();
}

}  // namespace mxdit::ascend::cann
