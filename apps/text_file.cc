#include "text_file.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "app_error.h"

namespace mxdit::cli {
namespace {

std::string temporary_name(const std::string& path) { return path + ".part"; }

[[noreturn]] void fail_to_write(const std::string& flag, const std::string& path) {
  std::remove(temporary_name(path).c_str());
  fail(ErrorKind::io, flag, " ", path, ": expected to be writable, got an error");
}

void write_temporary(const std::string& flag, const std::string& path, const std::string& text) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail_to_write(flag, path);
  std::ofstream out(temporary_name(path), std::ios::binary);
  out << text;
  out.close();
  if (!out) fail_to_write(flag, path);
}

}  // namespace

void check_text_file(const std::string& flag, const std::string& path) {
  write_temporary(flag, path, "");
  std::remove(temporary_name(path).c_str());
}

void write_text_file(const std::string& flag, const std::string& path, const std::string& text) {
  write_temporary(flag, path, text);
  if (std::rename(temporary_name(path).c_str(), path.c_str()) != 0) fail_to_write(flag, path);
}

}  // namespace mxdit::cli
