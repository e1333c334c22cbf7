#include "fuzz/entries.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mxdit::fuzz::run_quantization(data, size);
  return 0;
}
