#include "text_file.h"

#include <cstdio>
#include <fstream>

#include "app_error.h"

namespace mxdit::cli {

void write_text_file(const std::string& flag, const std::string& path, const std::string& text) {
  const std::string temporary = path + ".part";
  std::ofstream out(temporary, std::ios::binary);
  out << text;
  out.close();
  if (!out || std::rename(temporary.c_str(), path.c_str()) != 0) {
    std::remove(temporary.c_str());
    fail(ErrorKind::io, flag, " ", path, ": expected to be writable, got an error");
  }
}

}  // namespace mxdit::cli
