#include <unistd.h>

#include <iostream>

#include "program.h"

int main(int argc, char** argv) {
  const mxdit::cli::Console console{std::cout, std::cerr, isatty(STDERR_FILENO) != 0};
  return mxdit::cli::run_program({argv + (argc > 0 ? 1 : 0), argv + argc}, console);
}
