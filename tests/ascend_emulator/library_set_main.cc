// ascend_emulator_libraries FROM TO [--cann VERSION] [--without SYMBOL]...
// Makes a folder with the emulated libraries as an older CANN has them, or without some symbols.
#include <cstdio>
#include <cstring>
#include <exception>

#include "ascend_emulator/library_set.h"

int main(int argc, char** argv) {
  using namespace ascend_emulator;
  if (argc < 3 || argc % 2 == 0) {
    std::fprintf(stderr, "usage: %s FROM TO [--cann VERSION] [--without SYMBOL]...\n", argv[0]);
    return 2;
  }
  try {
    std::vector<std::string> without;
    bool old_runtime = false;
    for (int i = 3; i < argc; i += 2) {
      if (std::strcmp(argv[i], "--cann") == 0) {
        old_runtime = has_old_runtime(argv[i + 1]);
        for (std::string& symbol : symbols_after(list_operators(argv[1]), argv[i + 1])) {
          without.push_back(std::move(symbol));
        }
      } else if (std::strcmp(argv[i], "--without") == 0) {
        without.emplace_back(argv[i + 1]);
      } else {
        std::fprintf(stderr, "unknown option %s\n", argv[i]);
        return 2;
      }
    }
    copy_libraries(argv[1], argv[2], without, old_runtime);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
