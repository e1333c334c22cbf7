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
  EXPECT_EQ(backend_names(), (std::vector<std::string>{"cpu", "exact"}));
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
