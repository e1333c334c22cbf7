#include "backend/cpu/isa.h"

#include <algorithm>
#include <cstdlib>

#include "core/error.h"

namespace mxdit::cpu {
namespace {

constexpr const char* kKnownNames[] = {"amx", "avx512_vnni", "avx512", "avx2",
                                       "scalar"};

template <typename Entry>
void inherit(Entry& entry, const Entry& below) {
  if (entry == nullptr) entry = below;
}

KernelTable completed(KernelTable table, const KernelTable& below) {
  inherit(table.cast, below.cast);
  inherit(table.add, below.add);
  inherit(table.activate, below.activate);
  inherit(table.combine, below.combine);
  inherit(table.layer_norm, below.layer_norm);
  inherit(table.rms_norm, below.rms_norm);
  inherit(table.channel_norm, below.channel_norm);
  inherit(table.gate_add, below.gate_add);
  inherit(table.rope, below.rope);
  inherit(table.copy, below.copy);
  inherit(table.upsample2x, below.upsample2x);
  inherit(table.quantize, below.quantize);
  inherit(table.dequantize, below.dequantize);
  if (table.matrix.multiply == nullptr) table.matrix = below.matrix;
  inherit(table.dots.pack, below.dots.pack);
  inherit(table.dots.widen, below.dots.widen);
  inherit(table.dots.survey, below.dots.survey);
  inherit(table.dots.fold, below.dots.fold);
  return table;
}

std::string runnable_names() {
  std::string names;
  for (const KernelTable& table : built_tables())
    if (runs_here(table)) names += (names.empty() ? "" : ", ") + std::string(table.name);
  return names;
}

}  // namespace

const std::vector<KernelTable>& built_tables() {
  static const std::vector<KernelTable> tables = [] {
    std::vector<KernelTable> list = {*scalar_table()};
    for (const KernelTable* table : {avx2_table(), avx512_table(), avx512_vnni_table(), amx_table()})
      if (table != nullptr) list.insert(list.begin(), completed(*table, list.front()));
    return list;
  }();
  return tables;
}

bool runs_here(const KernelTable& table) noexcept {
  return (table.isa & ~machine_isa()) == 0;
}

const KernelTable& choose_table(const std::string& forced) {
  const char* environment = std::getenv("MXDIT_ISA");
  const bool from_options = !forced.empty() || environment == nullptr;
  const std::string wanted = from_options ? forced : environment;
  for (const KernelTable& table : built_tables())
    if ((wanted.empty() || wanted == table.name) && runs_here(table)) return table;
  const bool known =
      std::find(std::begin(kKnownNames), std::end(kKnownNames), wanted) != std::end(kKnownNames);
  fail(known ? ErrorKind::unsupported : ErrorKind::usage, "[backend] ",
       from_options ? "kernel table" : "MXDIT_ISA", ": expected one of ", runnable_names(),
       known ? " (what this build and machine have), got " : ", got ", wanted);
}

std::vector<std::string> passed_over(const KernelTable& chosen) {
  const std::string name = chosen.name;
  std::vector<std::string> reasons;
  for (const KernelTable& table : built_tables()) {
    if (name == table.name) break;
    const std::string reason = why_absent(table);
    reasons.push_back(std::string(table.name) + ": " + (reason.empty() ? name + " was asked for" : reason));
  }
  return reasons;
}

}  // namespace mxdit::cpu
