#include "backend/cpu/isa.h"

#include <gtest/gtest.h>

#include "backend/registry.h"
#include "core/error.h"

namespace mxdit {
namespace {

ErrorKind error_kind(const std::string& device, const BackendOptions& options) {
  try {
    make_backend(device, options);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::internal;
}

TEST(Selection, NamesWhatThereIs) {
  EXPECT_EQ(error_kind("abacus", {}), ErrorKind::usage);
  EXPECT_EQ(error_kind("cpu", {.threads = 1, .isa = "mmx"}), ErrorKind::usage);
  for (const cpu::KernelTable& table : cpu::built_tables())
    if (!cpu::runs_here(table)) {
      EXPECT_EQ(error_kind("cpu", {.threads = 1, .isa = table.name}), ErrorKind::unsupported);
    }
  EXPECT_EQ(backend_names(), (std::vector<std::string>{"cpu", "exact", "ascend"}));
  for (const char* name : {"ascend:", "ascend:x", "ascend:-1", "ascend:1x", "ascend1", "cpu:0"})
    EXPECT_EQ(error_kind(name, {}), ErrorKind::usage) << name;
  EXPECT_EQ(error_kind("ascend", {.threads = 1, .isa = "avx2"}), ErrorKind::usage);
  EXPECT_TRUE(is_device_name("ascend:3"));
}

TEST(Selection, TablesInheritWhatTheyLack) {
  const cpu::KernelTable* scalar = cpu::scalar_table();
  for (const cpu::KernelTable& table : cpu::built_tables()) {
    EXPECT_NE(table.cast, nullptr);
    EXPECT_EQ(table.copy, scalar->copy) << "no table of this build has its own copy";
    EXPECT_NE(table.matrix.multiply, nullptr);
  }
}

}  // namespace
}  // namespace mxdit
