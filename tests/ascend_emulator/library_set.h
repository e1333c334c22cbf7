// Sets of the emulated libraries that lack symbols, as an older CANN or a broken installation does:
// dlsym must not find them, so they are taken out of copies of the files.
#pragma once

#include <string>
#include <vector>

namespace ascend_emulator {

// An operator as the libraries list it; see AscendEmulator::operator_at.
struct ListedOperator {
  std::string name;
  std::string library;
  std::string since;
};

// Copies all libraries of `from` to `to` (made if missing) without these symbols. A symbol that no
// library has is an error: std::runtime_error, as for files that cannot be read or written.
// `old_runtime`: libacl_rt.so is called libascendcl.so.
void copy_libraries(const std::string& from, const std::string& to,
                    const std::vector<std::string>& without, bool old_runtime = false);

// The symbols that a CANN version ("8.5") does not have yet.
std::vector<std::string> symbols_after(const std::vector<ListedOperator>& operators,
                                       const std::string& version);
// libacl_rt.so came with 8.5.
bool has_old_runtime(const std::string& version);
// Loads the libraries of a folder and lists their operators.
std::vector<ListedOperator> list_operators(const std::string& folder);

}  // namespace ascend_emulator
