#include "ascend_emulator/library_set.h"

#include <dlfcn.h>
#include <elf.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>

#include "ascend_emulator/control.h"

namespace ascend_emulator {

namespace {

namespace fs = std::filesystem;

// The dynamic symbols of an ELF file in memory.
struct SymbolTable {
  const Elf64_Sym* symbols;
  size_t count;
  char* names;
};

SymbolTable dynamic_symbols(std::vector<char>& file, const std::string& path) {
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(file.data());
  if (file.size() < sizeof(*header) || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
    throw std::runtime_error(path + ": expected an ELF file");
  }
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(file.data() + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_DYNSYM) continue;
    return {reinterpret_cast<const Elf64_Sym*>(file.data() + sections[i].sh_offset),
            sections[i].sh_size / sizeof(Elf64_Sym),
            file.data() + sections[sections[i].sh_link].sh_offset};
  }
  throw std::runtime_error(path + ": expected dynamic symbols");
}

// Spoils the name of a defined symbol. The hash table leads to the entry by the old name's hash,
// where the names then differ; nothing leads there by the new one. False when the file has no such
// symbol.
bool hide(std::vector<char>& file, const std::string& path, const std::string& symbol) {
  const SymbolTable table = dynamic_symbols(file, path);
  for (size_t i = 0; i < table.count; ++i) {
    char* name = table.names + table.symbols[i].st_name;
    if (table.symbols[i].st_shndx == SHN_UNDEF || symbol != name) continue;
    for (size_t other = 0; other < table.count; ++other) {
      const char* begin = table.names + table.symbols[other].st_name;
      if (other != i && begin <= name && name < begin + std::strlen(begin)) {
        throw std::runtime_error(path + ": the name of " + symbol + " is shared with " + begin);
      }
    }
    name[0] = '!';
    return true;
  }
  return false;
}

std::vector<char> read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file || bytes.empty()) throw std::runtime_error("cannot read " + path.string());
  return bytes;
}

// "8.5" as a number to compare by.
int number_of(const std::string& version) {
  int major = 0;
  int minor = 0;
  char rest = 0;
  if (std::sscanf(version.c_str(), "%d.%d%c", &major, &minor, &rest) != 2) {
    throw std::runtime_error("expected a CANN version like 8.5, got " + version);
  }
  return major * 1000 + minor;
}

}  // namespace

void copy_libraries(const std::string& from, const std::string& to,
                    const std::vector<std::string>& without, bool old_runtime) {
  fs::create_directories(to);
  std::set<std::string> hidden;
  for (const auto& entry : fs::directory_iterator(from)) {
    const fs::path& path = entry.path();
    if (!entry.is_regular_file() || path.extension() != ".so") continue;
    std::vector<char> bytes = read(path);
    for (const std::string& symbol : without) {
      if (hide(bytes, path.string(), symbol)) hidden.insert(symbol);
    }
    // Never over a file that a process may have mapped.
    const bool renamed = old_runtime && path.filename() == "libacl_rt.so";
    const fs::path target = fs::path(to) / (renamed ? "libascendcl.so" : path.filename());
    fs::remove(target);
    std::ofstream file(target, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) throw std::runtime_error("cannot write " + target.string());
  }
  for (const std::string& symbol : without) {
    if (!hidden.contains(symbol))
      throw std::runtime_error("no library of " + from + " has " + symbol);
  }
}

std::vector<std::string> symbols_after(const std::vector<ListedOperator>& operators,
                                       const std::string& version) {
  std::vector<std::string> symbols;
  for (const ListedOperator& listed : operators) {
    if (number_of(listed.since) <= number_of(version)) continue;
    symbols.push_back(listed.name);
    symbols.push_back(listed.name + "GetWorkspaceSize");
  }
  return symbols;
}

bool has_old_runtime(const std::string& version) {
  return number_of(version) < number_of("8.5");
}

std::vector<ListedOperator> list_operators(const std::string& folder) {
  AscendEmulatorEntry entry = nullptr;
  for (const char* name :
       {"libopapi_nn.so", "libopapi_math.so", "libopapi_transformer.so", "libacl_rt.so"}) {
    void* library = dlopen((folder + "/" + name).c_str(), RTLD_NOW);
    if (library == nullptr) throw std::runtime_error(dlerror());
    entry = reinterpret_cast<AscendEmulatorEntry>(dlsym(library, "ascendEmulator"));
  }
  if (entry == nullptr) throw std::runtime_error(folder + "/libacl_rt.so is not the emulator's");
  std::vector<ListedOperator> operators;
  const char* name = nullptr;
  const char* library = nullptr;
  const char* since = nullptr;
  for (size_t i = 0; entry()->operator_at(i, &name, &library, &since); ++i) {
    operators.push_back({name, library, since});
  }
  return operators;
}

}  // namespace ascend_emulator
