#include "checkpoint/model_folder.h"

#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint/fingerprint.h"
#include "io/expect_error.h"
#include "io/safetensors.h"
#include "io/temporary_folder.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelIndex = R"({
  "_class_name": "WanPipeline", "_diffusers_version": "0.35.0", "boundary_ratio": 0.875,
  "expand_timesteps": false, "nothing": null,
  "scheduler": ["diffusers", "UniPCMultistepScheduler"],
  "text_encoder": ["transformers", "UMT5EncoderModel"],
  "tokenizer": ["transformers", "T5TokenizerFast"],
  "transformer": ["diffusers", "WanTransformer3DModel"],
  "transformer_2": [null, null],
  "vae": ["diffusers", "AutoencoderKLWan"]})";

void write_model(const TemporaryFolder& folder) {
  folder.write("model_index.json", kModelIndex);
  folder.write("scheduler/scheduler_config.json", R"({"flow_shift": 3.0})");
  folder.write("text_encoder/config.json", R"({"d_model": 8})");
  folder.write("tokenizer/spiece.model", "pieces");
  folder.write("transformer/config.json", R"({"num_layers": 2})");
  folder.write("vae/config.json", R"({"z_dim": 16})");
}

class ModelFolderTest : public ::testing::Test {
 protected:
  ModelFolderTest() { write_model(folder_); }
  ModelFolder open() const { return ModelFolder::open(folder_.path()); }
  TemporaryFolder folder_;
};

TEST_F(ModelFolderTest, ListsComponentsAndSettings) {
  const ModelFolder model = open();
  EXPECT_EQ(model.class_name(), "WanPipeline");
  EXPECT_EQ(model.path(), folder_.path());
  EXPECT_EQ(optional_or<double>(model.index(), "boundary_ratio", 0, model.index_file()), 0.875);
  EXPECT_EQ(optional_or<bool>(model.index(), "expand_timesteps", true, model.index_file()), false);
  EXPECT_TRUE(model.has("transformer"));
  EXPECT_FALSE(model.has("transformer_2"));
  EXPECT_FALSE(model.has("boundary_ratio"));
}

TEST_F(ModelFolderTest, ReadsTheConfigurationOfEachKind) {
  const ModelFolder model = open();
  const Component transformer = model.component("transformer");
  EXPECT_EQ(transformer.class_name, "WanTransformer3DModel");
  EXPECT_EQ(transformer.folder, folder_ / "transformer");
  EXPECT_EQ(transformer.config, Json({{"num_layers", 2}}));
  EXPECT_EQ(transformer.config_file, (folder_ / "transformer/config.json").string());
  EXPECT_EQ(model.component("scheduler").config, Json({{"flow_shift", 3.0}}));
  EXPECT_TRUE(model.component("tokenizer").config.is_null());
}

TEST_F(ModelFolderTest, NamesWhatIsMissing) {
  const std::string path = folder_.path().string();
  expect_error(ErrorKind::not_found, {path + "/none", "model folder"},
               [&] { ModelFolder::open(folder_ / "none"); });
  expect_error(ErrorKind::not_found, {path + "/vae", "diffusers model folder", "model_index.json"},
               [&] { ModelFolder::open(folder_ / "vae"); });
  expect_error(ErrorKind::not_found, {"model_index.json", "\"transformer_2\""},
               [&] { open().component("transformer_2"); });
  fs::remove(folder_ / "transformer/config.json");
  expect_error(ErrorKind::not_found, {path + "/transformer/config.json"},
               [&] { open().component("transformer"); });
  fs::remove_all(folder_ / "transformer");
  expect_error(ErrorKind::not_found, {path + "/transformer", "component \"transformer\""},
               [&] { open().component("transformer"); });
  EXPECT_NO_THROW(open().component("vae"));
}

TEST_F(ModelFolderTest, RefusesAMalformedIndex) {
  const auto refuses = [&](const char* text, std::initializer_list<std::string> parts) {
    folder_.write("model_index.json", text);
    expect_error(ErrorKind::bad_input, parts, [&] { open(); });
  };
  refuses("[]", {"model_index.json", "_class_name"});
  refuses("{}", {"model_index.json", "\"_class_name\"", "got none"});
  refuses(R"({"_class_name": "A", "vae": ["diffusers"]})",
          {"component \"vae\"", "[\"diffusers\"]"});
  refuses(R"({"_class_name": "A", "vae": ["a", "b", "c"]})", {"component \"vae\""});
  refuses(R"({"_class_name": "A", "vae": [null, "b"]})", {"component \"vae\"", "[null,\"b\"]"});
  refuses(R"({"_class_name": "A", "../vae": ["a", "b"]})", {"component \"../vae\"", "path"});
}

TEST_F(ModelFolderTest, RefusesAConfigurationThatIsNoObject) {
  folder_.write("vae/config.json", "[1]");
  expect_error(ErrorKind::bad_input, {"vae/config.json", "an array of 1"},
               [&] { open().component("vae"); });
}

TEST_F(ModelFolderTest, ReplacesComponents) {
  const auto other = folder_.write("elsewhere/config.json", R"({"num_layers": 9})").parent_path();
  const ModelFolder model = ModelFolder::open(folder_.path(), {{"transformer", other}});
  EXPECT_EQ(model.component("transformer").folder, other);
  EXPECT_EQ(model.component("transformer").config, Json({{"num_layers", 9}}));
  EXPECT_NE(model.fingerprint(), open().fingerprint());
  expect_error(ErrorKind::usage, {"model_index.json", "\"transformer_2\""}, [&] {
    ModelFolder::open(folder_.path(), {{"transformer_2", other}});
  });
  expect_error(ErrorKind::not_found, {"absent", "\"vae\""}, [&] {
    ModelFolder::open(folder_.path(), {{"vae", folder_ / "absent"}});
  });
}

TEST_F(ModelFolderTest, FingerprintDependsOnContentOnly) {
  TemporaryFolder copy;
  write_model(copy);
  copy.write("README.md", "not part of a component");
  copy.write("vae/.cache/download.lock", "hidden");
  const std::string fingerprint = open().fingerprint();
  EXPECT_EQ(fingerprint.size(), 64u);
  EXPECT_EQ(ModelFolder::open(copy.path()).fingerprint(), fingerprint);

  copy.write("vae/config.json", R"({"z_dim": 17})");
  EXPECT_NE(ModelFolder::open(copy.path()).fingerprint(), fingerprint);
  write_model(copy);
  copy.write("tokenizer/more/merges", "");
  EXPECT_NE(ModelFolder::open(copy.path()).fingerprint(), fingerprint);
  fs::remove_all(copy / "tokenizer");
  expect_error(ErrorKind::not_found, {"tokenizer"},
               [&] { ModelFolder::open(copy.path()).fingerprint(); });
}

TEST_F(ModelFolderTest, FingerprintCountsReplacedWeights) {
  const std::string fingerprint = open().fingerprint();
  const auto file = folder_.write("elsewhere/w.safetensors", "one");
  const std::string replaced = open().fingerprint({{"transformer", file}});
  EXPECT_NE(replaced, fingerprint);
  const auto copy = folder_.write("copy/other_name.safetensors", "one");
  EXPECT_EQ(open().fingerprint({{"transformer", copy}}), replaced);
  EXPECT_NE(open().fingerprint({{"transformer", file.parent_path()}}), fingerprint);
  folder_.write("elsewhere/w.safetensors", "two");
  EXPECT_NE(open().fingerprint({{"transformer", file}}), replaced);
}

std::string sampled(const fs::path& file) {
  Fingerprint fingerprint(1024);
  fingerprint.add_file("name", file);
  return fingerprint.hex_digest();
}

TEST(FingerprintTest, SamplesTheEndsOfEveryLargeTensor) {
  TemporaryFolder folder;
  const auto path = folder / "w.safetensors";
  Tensor tensor = Tensor::host(DType::u8, {300000});
  std::memset(tensor.mutable_data(), 0, tensor.bytes());
  const auto with_byte = [&](int64_t at) {
    tensor.as_mutable<uint8_t>()[at] = 1;
    write_safetensors(path, {{"a", tensor}, {"b", tensor}});
    tensor.as_mutable<uint8_t>()[at] = 0;
    return sampled(path);
  };
  const std::string middle = with_byte(150000);
  EXPECT_EQ(with_byte(151000), middle);  // as documented: not between the ends
  for (const int64_t at : {0, 65535, 299999 - 65535, 299999})
    EXPECT_NE(with_byte(at), middle) << at;
}

TEST(FingerprintTest, SamplesTheEndsOfOtherLargeFiles) {
  TemporaryFolder folder;
  std::string content(3000000, 'x');
  const std::string first = sampled(folder.write("w.bin", content));
  content.back() = 'y';
  EXPECT_NE(sampled(folder.write("w.bin", content)), first);
  EXPECT_NE(sampled(folder.write("w.bin", content + "x")), first);
}

TEST(FingerprintTest, NamesAreSeparatedFromContent) {
  TemporaryFolder folder;
  Fingerprint one, other;
  one.add_file("ab", folder.write("1", "c"));
  other.add_file("a", folder.write("2", "bc"));
  EXPECT_NE(one.hex_digest(), other.hex_digest());
}

}  // namespace
}  // namespace mxdit
