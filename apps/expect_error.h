// Expecting an mxdit::Error of one kind whose text holds all given parts.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "mxdit/error.h"

namespace mxdit::cli {

inline void expect_error(ErrorKind kind, const std::vector<std::string>& parts,
                         const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "expected an error with: " << parts.front();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(exit_status(error.kind()), exit_status(kind)) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

}  // namespace mxdit::cli
