#include "op_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "expect_error.h"
#include "fake_engine.h"

namespace mxdit::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string run(const std::vector<std::string>& arguments) {
  std::ostringstream out, err;
  fake_engine() = {};
  EXPECT_EQ(run_op(arguments, {out, err}), 0);
  return out.str();
}

TEST(OpCommand, HandsOverFilesAndSettings) {
  run({"quantize", "a", "b", "--format", "mxfp8", "--isa=scalar"});
  EXPECT_THAT(fake_engine().operations, ElementsAre("quantize a b mxfp8 rint scalar"));
  run({"dequantize", "a", "b"});
  EXPECT_THAT(fake_engine().operations, ElementsAre("dequantize a b mxfp4_dual fp32"));
  run({"matmul", "--out", "bf16", "a", "b"});
  EXPECT_THAT(fake_engine().operations, ElementsAre("matmul a b mxfp4_dual bf16"));
  run({"linear", "a", "b", "--quantization", "modelslim", "--type", "W8A8"});
  EXPECT_THAT(fake_engine().operations, ElementsAre("linear a b modelslim W8A8 "));
}

TEST(OpCommand, RefusesWhatItDoesNotKnow) {
  std::ostringstream out, err;
  const Console console{out, err};
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& text) {
    expect_error(ErrorKind::usage, {text}, [&] { run_op(arguments, console); });
  };
  refused({}, "expected an operator");
  refused({"quantise", "a", "b"}, "the nearest known one is quantize");
  refused({"quantize", "a"}, "op quantize: expected two files, IN and OUT, got 1");
  refused({"quantize", "a", "b", "--format", "mxfp5"}, "mxfp4_dual");
  refused({"quantize", "a", "b", "--quantization", "fp8"}, "--quantization");
}

TEST(OpCommand, Helps) {
  const std::string help = run({"--help"});
  for (const char* text : {"quantize", "--format", "mxfp4_dual", "--quantization", "--device"})
    EXPECT_THAT(help, HasSubstr(text));
}

}  // namespace
}  // namespace mxdit::cli
