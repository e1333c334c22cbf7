// The libraries as a program finds them, whole and with symbols missing.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "ascend_emulator/control.h"
#include "ascend_emulator/library_set.h"

namespace ascend_emulator {
namespace {

const std::string kFolder = ASCEND_EMULATOR_FOLDER;

class Library {
 public:
  Library(const std::string& folder, const char* name)
      : handle_(dlopen((folder + "/" + name).c_str(), RTLD_LAZY | RTLD_LOCAL)) {
    EXPECT_NE(handle_, nullptr) << dlerror();
  }
  bool has(const std::string& symbol) const { return dlsym(handle_, symbol.c_str()) != nullptr; }
  template <class Function>
  Function get(const char* symbol) const {
    return reinterpret_cast<Function>(dlsym(handle_, symbol));
  }

 private:
  void* handle_;
};

// Both phases.
bool has_operator(const Library& library, const std::string& name) {
  return library.has(name) && library.has(name + "GetWorkspaceSize");
}

TEST(Libraries, TheRuntimeIsThere) {
  const Library library(kFolder, "libacl_rt.so");
  for (const char* symbol : {"aclInit",
                             "aclFinalize",
                             "aclGetRecentErrMsg",
                             "aclrtGetSocName",
                             "aclrtGetDeviceCount",
                             "aclrtSetDevice",
                             "aclrtResetDevice",
                             "aclrtGetDevice",
                             "aclrtCreateContext",
                             "aclrtDestroyContext",
                             "aclrtSetCurrentContext",
                             "aclrtCreateStream",
                             "aclrtDestroyStream",
                             "aclrtSynchronizeStream",
                             "aclrtSynchronizeDevice",
                             "aclrtCreateEvent",
                             "aclrtDestroyEvent",
                             "aclrtRecordEvent",
                             "aclrtStreamWaitEvent",
                             "aclrtSynchronizeEvent",
                             "aclrtEventElapsedTime",
                             "aclrtMalloc",
                             "aclrtFree",
                             "aclrtMallocHost",
                             "aclrtFreeHost",
                             "aclrtMemcpy",
                             "aclrtMemcpyAsync",
                             "aclrtMemset",
                             "aclrtMemsetAsync",
                             "aclrtGetMemInfo",
                             "ascendEmulator"}) {
    EXPECT_TRUE(library.has(symbol)) << symbol;
  }
  EXPECT_FALSE(library.has("aclCreateTensor")) << "that is libnnopbase's";
}

TEST(Libraries, TheObjectsAreThere) {
  const Library library(kFolder, "libnnopbase.so");
  for (const char* symbol :
       {"aclnnInit", "aclnnFinalize", "aclCreateTensor", "aclCreateScalar", "aclCreateIntArray",
        "aclCreateTensorList", "aclDestroyTensor", "aclDestroyScalar", "aclDestroyIntArray",
        "aclDestroyTensorList", "aclSetAclOpExecutorRepeatable", "aclDestroyAclOpExecutor"}) {
    EXPECT_TRUE(library.has(symbol)) << symbol;
  }
  EXPECT_FALSE(library.has("aclrtMalloc")) << "that is libacl_rt's";
}

TEST(Libraries, EveryOperatorIsInItsLibrary) {
  const struct {
    const char* library;
    std::vector<const char*> operators;
  } lists[] = {
      {"libopapi_nn.so",
       {"aclnnDynamicDualLevelMxQuant", "aclnnDualLevelQuantMatmulWeightNz", "aclnnDynamicMxQuant",
        "aclnnDynamicMxQuantV2", "aclnnDynamicMxQuantV3", "aclnnQuantMatmulV5",
        "aclnnQuantMatmulWeightNz", "aclnnMatmul", "aclnnMm", "aclnnBatchMatMul", "aclnnAddmm",
        "aclnnMatmulWeightNz", "aclnnLayerNorm", "aclnnRmsNorm", "aclnnGeluV2", "aclnnSilu",
        "aclnnSoftmax", "aclnnConvolution"}},
      {"libopapi_math.so",
       {"aclnnNpuFormatCast", "aclnnCast", "aclnnAdd", "aclnnSub", "aclnnMul", "aclnnMuls",
        "aclnnAdds", "aclnnPermute", "aclnnCat", "aclnnInplaceCopy", "aclnnConstantPadNd"}},
      {"libopapi_transformer.so", {"aclnnFlashAttentionScoreV4", "aclnnRotaryPositionEmbedding"}},
  };
  const std::vector<ListedOperator> listed = list_operators(kFolder);
  size_t count = 0;
  for (const auto& list : lists) {
    const Library library(kFolder, list.library);
    for (const std::string name : list.operators) {
      EXPECT_TRUE(has_operator(library, name)) << name;
      EXPECT_TRUE(std::ranges::any_of(listed,
                                      [&](const ListedOperator& entry) {
                                        return entry.name == name && entry.library == list.library;
                                      }))
          << name << " is not registered for " << list.library;
      ++count;
    }
  }
  EXPECT_TRUE(Library(kFolder, "libopapi_math.so").has("aclnnNpuFormatCastCalculateSizeAndFormat"));
  EXPECT_EQ(listed.size(), count + 1) << "operators that nobody expects";
}

TEST(Libraries, TheLibrariesShareOneState) {
  const Library runtime(kFolder, "libacl_rt.so");
  const Library objects(kFolder, "libnnopbase.so");
  runtime.get<AscendEmulatorEntry>("ascendEmulator")()->reset();
  EXPECT_EQ(objects.get<decltype(&aclCreateIntArray)>("aclCreateIntArray")(nullptr, 1), nullptr);
  const char* text = runtime.get<decltype(&aclGetRecentErrMsg)>("aclGetRecentErrMsg")();
  ASSERT_NE(text, nullptr);
  EXPECT_THAT(text, testing::HasSubstr("aclCreateIntArray"));
}

TEST(Libraries, OlderVersionsLackWhatCameLater) {
  const Library old(kFolder + "/cann_8.5", "libopapi_nn.so");
  EXPECT_FALSE(old.has("aclnnDynamicDualLevelMxQuant"));
  EXPECT_FALSE(old.has("aclnnDynamicDualLevelMxQuantGetWorkspaceSize"));
  EXPECT_FALSE(old.has("aclnnDualLevelQuantMatmulWeightNz"));
  EXPECT_FALSE(old.has("aclnnDualLevelQuantMatmulWeightNzGetWorkspaceSize"));
  EXPECT_FALSE(old.has("aclnnDynamicMxQuantV2"));
  EXPECT_TRUE(has_operator(old, "aclnnDynamicMxQuant"));
  EXPECT_TRUE(has_operator(old, "aclnnMatmul"));
  const Library newer(kFolder + "/cann_9.0", "libopapi_nn.so");
  EXPECT_TRUE(has_operator(newer, "aclnnDynamicDualLevelMxQuant"));
  EXPECT_TRUE(has_operator(newer, "aclnnDualLevelQuantMatmulWeightNz"));
  EXPECT_FALSE(newer.has("aclnnDynamicMxQuantV2"));
  EXPECT_FALSE(newer.has("aclnnDynamicMxQuantV3"));
}

TEST(Libraries, TheOldestVersionHasTheOldRuntime) {
  const std::string folder = kFolder + "/cann_8.0";
  EXPECT_FALSE(std::filesystem::exists(folder + "/libacl_rt.so"));
  EXPECT_TRUE(Library(folder, "libascendcl.so").has("aclrtMalloc"));
  const Library nn(folder, "libopapi_nn.so");
  EXPECT_FALSE(nn.has("aclnnDynamicMxQuant"));
  EXPECT_TRUE(has_operator(nn, "aclnnMatmul"));
}

class LibrarySet : public testing::Test {
 protected:
  LibrarySet() : folder_(testing::TempDir() + "ascend_emulator_without") {}
  ~LibrarySet() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(LibrarySet, AnyOneSymbolCanBeMissing) {
  copy_libraries(kFolder, folder_, {"aclnnSiluGetWorkspaceSize", "aclrtGetMemInfo"});
  const Library nn(folder_, "libopapi_nn.so");
  EXPECT_FALSE(nn.has("aclnnSiluGetWorkspaceSize"));
  EXPECT_TRUE(nn.has("aclnnSilu"));
  EXPECT_TRUE(has_operator(nn, "aclnnSoftmax"));
  const Library runtime(folder_, "libacl_rt.so");
  EXPECT_FALSE(runtime.has("aclrtGetMemInfo"));
  EXPECT_TRUE(runtime.has("aclrtMalloc"));
}

TEST_F(LibrarySet, ASymbolThatNoLibraryHasIsAnError) {
  EXPECT_THROW(copy_libraries(kFolder, folder_, {"aclnnNothing"}), std::runtime_error);
}

TEST_F(LibrarySet, VersionsAreComparedAsNumbers) {
  const std::vector<ListedOperator> operators = {{"aclnnA", "", "8.5"}, {"aclnnB", "", "10.0"}};
  EXPECT_THAT(symbols_after(operators, "9.1"),
              testing::ElementsAre("aclnnB", "aclnnBGetWorkspaceSize"));
  EXPECT_THAT(symbols_after(operators, "10.0"), testing::IsEmpty());
  EXPECT_THROW(symbols_after(operators, "new"), std::runtime_error);
}

}  // namespace
}  // namespace ascend_emulator
