// Operators that no library of CANN has: small ones, to break the core's rules with. Phase 1 and
// phase 2 have the C shape of all operators.
#pragma once

#include "ascend_emulator/acl_abi.h"

namespace ascend_emulator {

// What one test operator is made of.
struct TestOperator {
  aclnnStatus (*plan)(const aclTensor* x, aclTensor* y, uint64_t* size, aclOpExecutor** executor);
  aclnnStatus (*launch)(void* workspace, uint64_t size, aclOpExecutor* executor,
                        aclrtStream stream);
};

// y = x + 1 in FLOAT, of any strides; y may be x. Workspace 96 bytes. aclnnTestAddOne.
extern const TestOperator kAddOne;
// The same, generated (it checks the workspace's size), for A5 alone with 561003, not repeatable.
extern const TestOperator kGeneratedAddOne;
// The same without workspace and not in place.
extern const TestOperator kNoWorkspaceAddOne;
// As kNoWorkspaceAddOne, and does not end before the test says so. aclnnTestSlow.
extern const TestOperator kSlowAddOne;
// Waits until a kernel of kSlowAddOne runs.
void wait_for_slow_kernel();
// Lets it end.
void end_slow_kernel();
// Writes one element beyond y's last as well.
extern const TestOperator kWritesBeyond;
// Copies bytes, and y becomes FRACTAL_NZ if that is its format.
extern const TestOperator kToNz;
// Copies bytes; refuses nothing. In place of an operator that would write NZ without being
// FormatCast.
extern const TestOperator kCopy;

}  // namespace ascend_emulator
