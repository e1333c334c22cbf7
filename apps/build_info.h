// What this program was built from; CMake fills in build_info.cc.in.
#pragma once

namespace mxdit::cli {

extern const char* const kCommit;  // "N/A" outside a git checkout
extern const char* const kCompiler;
extern const char* const kBuildType;

}  // namespace mxdit::cli
