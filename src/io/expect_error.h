// For tests: runs something that has to fail, and checks the kind and the text of the error.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "core/error.h"

namespace mxdit {

template <typename Action>
void expect_error(ErrorKind kind, std::initializer_list<std::string> parts, Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    for (const std::string& part : parts)
      EXPECT_THAT(std::string(error.what()), ::testing::HasSubstr(part));
    return;
  }
  ADD_FAILURE() << "expected an error";
}

}  // namespace mxdit
