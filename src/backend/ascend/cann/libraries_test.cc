#include "backend/ascend/cann/libraries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "core/error.h"

namespace mxdit::ascend::cann {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Libraries that exist by their names alone; every symbol is in each of them.
class FakeLoader final : public LibraryLoader {
 public:
  std::set<std::string> there{"libacl_rt.so", "libnnopbase.so", "libopapi_nn.so",
                              "libopapi_math.so", "libopapi_transformer.so"};
  std::set<std::string> missing_symbols;
  std::vector<std::string> asked;

  void* open(const std::string& name, std::string* why) override {
    asked.push_back(name);
    const auto found = there.find(name);
    if (found != there.end()) return const_cast<std::string*>(&*found);
    *why = name + ": cannot open shared object file";
    return nullptr;
  }
  void* symbol(void*, const char* name) override {
    return missing_symbols.contains(name) ? nullptr : this;
  }
  std::string path(void* library) override {
    return "/cann/" + *static_cast<std::string*>(library);
  }
};

class LibrariesTest : public testing::Test {
 protected:
  void SetUp() override {
    unsetenv("ASCEND_HOME_PATH");
    unsetenv("ASCEND_OPP_PATH");
  }
  void TearDown() override { SetUp(); }
  std::string refusal() {
    try {
      Libraries::open(loader_);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported);
      return error.what();
    }
    return "";
  }
  FakeLoader loader_;
};

TEST_F(LibrariesTest, OpensTheRuntimeThenObjectsThenOperators) {
  const auto libraries = Libraries::open(loader_);
  EXPECT_THAT(loader_.asked,
              testing::ElementsAre("libacl_rt.so", "libnnopbase.so", "libopapi_nn.so",
                                   "libopapi_math.so", "libopapi_transformer.so", "libopapi.so"));
  EXPECT_EQ(libraries->libraries().front().path, "/cann/libacl_rt.so");
  EXPECT_EQ(libraries->libraries().back().why_absent,
            "libopapi.so: cannot open shared object file");
  EXPECT_NE(libraries->functions().malloc, nullptr);
  EXPECT_TRUE(libraries->has(OperatorId::add));
}

TEST_F(LibrariesTest, TakesTheOldRuntimeOnlyWithoutTheNewOne) {
  loader_.there.erase("libacl_rt.so");
  loader_.there.insert("libascendcl.so");
  EXPECT_EQ(Libraries::open(loader_)->symbols().front().library, "libascendcl.so");
}

TEST_F(LibrariesTest, LooksBelowAscendHomeWhenTheNameAloneFails) {
  loader_.there.erase("libnnopbase.so");
  loader_.there.insert("/opt/cann/lib64/libnnopbase.so");
  setenv("ASCEND_HOME_PATH", "/opt/cann", 1);
  EXPECT_EQ(refusal(), "");
}

TEST_F(LibrariesTest, NothingInstalledNamesLibrariesAndEnvironment) {
  loader_.there.clear();
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("[backend] ascend: CANN: expected libacl_rt.so (or libascendcl.so)"),
                    HasSubstr("libnnopbase.so"), HasSubstr("libopapi_nn.so"),
                    HasSubstr("cannot open shared object file"),
                    HasSubstr("ASCEND_HOME_PATH is not set"), HasSubstr("set_env.sh")));
}

TEST_F(LibrariesTest, AMissingFunctionOfTheRuntimeEndsIt) {
  loader_.missing_symbols = {"aclrtMemsetAsync"};
  EXPECT_THAT(refusal(), AllOf(HasSubstr("aclrtMemsetAsync"), HasSubstr("expected CANN 8.5")));
}

TEST_F(LibrariesTest, AMissingOperatorIsNamedWhenItIsAskedFor) {
  for (const char* missing :
       {"aclnnDynamicDualLevelMxQuant", "aclnnDynamicDualLevelMxQuantGetWorkspaceSize"}) {
    loader_.missing_symbols = {missing};
    const auto libraries = Libraries::open(loader_);
    EXPECT_FALSE(libraries->has(OperatorId::dynamic_dual_level_mx_quant));
    EXPECT_TRUE(libraries->has(OperatorId::dual_level_quant_matmul_weight_nz));
    try {
      libraries->find(OperatorId::dynamic_dual_level_mx_quant);
      ADD_FAILURE() << missing;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported);
      EXPECT_THAT(error.what(),
                  AllOf(HasSubstr("aclnnDynamicDualLevelMxQuant"), HasSubstr("mxfp4_npu"),
                        HasSubstr("expected CANN 9.0 or newer")));
    }
  }
}

TEST_F(LibrariesTest, TheReportListsEverySymbolOnce) {
  loader_.missing_symbols = {"aclnnSilu"};
  const auto libraries = Libraries::look(loader_);
  std::map<std::string, int> count;
  for (const SymbolReport& symbol : libraries->symbols()) {
    ++count[symbol.name];
    EXPECT_EQ(symbol.library.empty(), symbol.name == "aclnnSilu") << symbol.name;
    EXPECT_FALSE(symbol.since.empty()) << symbol.name;
    EXPECT_FALSE(symbol.needed_for.empty()) << symbol.name;
  }
  EXPECT_TRUE(std::all_of(count.begin(), count.end(), [](const auto& c) { return c.second == 1; }));
  EXPECT_EQ(count.size(), 29 + 1 + 2 * kOperators);
}

}  // namespace
}  // namespace mxdit::ascend::cann
