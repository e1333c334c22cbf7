#include "doctor/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/cpu/cpu_backend.h"
#include "backend/registry.h"

namespace mxdit::doctor {
namespace {

using testing::HasSubstr;
using Outcome = DoctorCheck::Outcome;

std::unique_ptr<Backend> make_cpu() {
  return make_backend("cpu", {});
}

TEST(Doctor, TheCpuIsHealthy) {
  std::vector<DoctorCheck> done;
  size_t heard = 0;
  run_checks(
      make_cpu, make_cpu(), all_checks(), [&](const DoctorCheck&) { ++heard; }, done);
  EXPECT_EQ(heard, done.size());
  EXPECT_GT(heard, 25u);
  for (const DoctorCheck& check : done)
    EXPECT_EQ(check.outcome, Outcome::passed) << check.name << ": " << check.detail;
}

TEST(Doctor, WhatAReportSaysOfADevice) {
  DeviceReport device;
  device.libraries = {{"liba.so", "/liba.so", ""}, {"libb.so", "", "no such file"}};
  device.symbols = {{"aclA", "8.5", "sums", "liba.so", true}, {"aclB", "9.0", "more", "", false}};
  device.problem = "it is not there";
  const auto checks = device_checks(device);
  ASSERT_EQ(checks.size(), 4u);
  EXPECT_EQ(checks[0].outcome, Outcome::passed);
  EXPECT_EQ(checks[0].detail, "open: liba.so; not there: libb.so");
  EXPECT_EQ(checks[1].outcome, Outcome::failed);
  EXPECT_THAT(checks[1].detail, HasSubstr("aclB (from version 9.0)"));
  EXPECT_EQ(checks[2].outcome, Outcome::failed);
  EXPECT_EQ(checks[2].detail, "it is not there");
  EXPECT_EQ(checks[3].outcome, Outcome::skipped);
}

// A CPU with one defect.
class BrokenBackend : public cpu::CpuBackend {
 public:
  BrokenBackend() : cpu::CpuBackend({.threads = 2, .isa = ""}) {}
};

class WrongBytes final : public BrokenBackend {
  void quantize(const Tensor& x, const QuantizeOptions& options, QuantizedMatrix& out) override {
    CpuBackend::quantize(x, options, out);
    static_cast<uint8_t*>(out.elements.mutable_data())[0] ^= 1;
  }
};

class WrongProduct final : public BrokenBackend {
  void quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                        Activation act, Tensor& out) override {
    CpuBackend::quantized_linear(x, weight, bias, act, out);
    uint16_t& bits = out.as_mutable<uint16_t>()[out.elements() - 1];
    bits = static_cast<uint16_t>(bits + 3);
  }
};

class LostCopies final : public BrokenBackend {
  Tensor to_host(const Tensor& device) override {
    Tensor host = CpuBackend::to_host(device);
    if (host.bytes() > 4096) static_cast<char*>(host.mutable_data())[4096] ^= 1;
    return host;
  }
};

class WrongNorm final : public BrokenBackend {
  void rms_norm(const Tensor& x, const Tensor& gain, float eps, Tensor& out) override {
    CpuBackend::layer_norm(x, &gain, nullptr, eps, out);
  }
};

class Refuses final : public BrokenBackend {
  void quantize(const Tensor&, const QuantizeOptions&, QuantizedMatrix&) override {
    fail(ErrorKind::unsupported, "not on this machine");
  }
};

template <typename Broken>
std::vector<DoctorCheck> examine(const std::vector<Check>& checks, int* made = nullptr) {
  std::vector<DoctorCheck> done;
  const auto make = [made]() -> std::unique_ptr<Backend> {
    if (made != nullptr) ++*made;
    return std::make_unique<Broken>();
  };
  run_checks(make, std::make_unique<Broken>(), checks, {}, done);
  return done;
}

std::vector<std::string> failures(const std::vector<DoctorCheck>& checks) {
  std::vector<std::string> names;
  for (const DoctorCheck& check : checks)
    if (check.outcome == Outcome::failed) names.push_back(check.name);
  return names;
}

TEST(Doctor, FindsWrongBytes) {
  EXPECT_THAT(
      failures(examine<WrongBytes>(vector_checks())),
      testing::ElementsAre("dual-level quantization of 8.0", "mxfp8 quantization of 0 8 64 512"));
  EXPECT_THAT(
      failures(examine<WrongBytes>(layer_checks())),
      testing::ElementsAre("linear mxfp4_dual", "linear mxfp8", "linear mxfp4", "linear int8"));
}

TEST(Doctor, FindsAWrongProduct) {
  const auto done = examine<WrongProduct>(layer_checks());
  EXPECT_EQ(failures(done).size(), 4u);
  EXPECT_THAT(done.back().detail, HasSubstr("within"));
  EXPECT_EQ(failures(examine<WrongProduct>(vector_checks())).size(), 2u);
}

TEST(Doctor, FindsACopyThatLosesABit) {
  EXPECT_THAT(failures(examine<LostCopies>(memory_checks())),
              testing::Contains("copies to the device and back"));
}

TEST(Doctor, FindsAWrongOperator) {
  EXPECT_THAT(failures(examine<WrongNorm>(operator_checks())), testing::ElementsAre("rms norm"));
}

TEST(Doctor, GoesOnWithANewDeviceAfterAFailure) {
  int made = 0;
  const auto done = examine<WrongBytes>(layer_checks(), &made);
  EXPECT_EQ(made, 4);
  EXPECT_EQ(done.size(), layer_checks().size());
}

TEST(Doctor, ARefusalIsNoFailure) {
  const auto done = examine<Refuses>(vector_checks());
  EXPECT_TRUE(failures(done).empty());
  EXPECT_EQ(done.front().outcome, Outcome::refused);
  EXPECT_EQ(done.front().detail, "not on this machine");
}

TEST(Doctor, WithoutANewDeviceTheRestIsSkipped) {
  const auto make = []() -> std::unique_ptr<Backend> { fail(ErrorKind::internal, "it is gone"); };
  std::vector<DoctorCheck> done;
  run_checks(make, std::make_unique<WrongBytes>(), vector_checks(), {}, done);
  EXPECT_EQ(done[0].outcome, Outcome::failed);
  EXPECT_EQ(done[1].outcome, Outcome::skipped);
  EXPECT_EQ(done[3].detail, "it is gone");
}

}  // namespace
}  // namespace mxdit::doctor
