// mxdit_make_random_checkpoint: a diffusers folder of random weights in the shape of a Wan model.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "core/error.h"
#include "random_checkpoint.h"

namespace {

void run(int argc, char** argv) {
  using mxdit::tools::RandomCheckpoint;
  RandomCheckpoint checkpoint;
  std::string shape;
  int64_t layers = 0, text_layers = 0;
  CLI::App app("Writes a diffusers folder of random bf16 weights in the shape of a Wan model.");
  app.add_option("--shape", shape, "Shape of the model")
      ->required()
      ->check(CLI::IsMember(mxdit::random_models::wan_shape_names()));
  app.add_option("--output", checkpoint.output, "Folder to write; new or empty")->required();
  app.add_option("--layers", layers, "Transformer layers (default: those of the shape)")
      ->check(CLI::PositiveNumber);
  app.add_option("--text-layers", text_layers, "Text encoder layers (default: 1; tiny: 2)")
      ->check(CLI::PositiveNumber);
  app.add_option("--vocabulary", checkpoint.vocabulary,
                 "Rows of the text embedding (default: the tokenizer's; real UMT5-XXL: 256384)")
      ->check(CLI::PositiveNumber);
  checkpoint.tokenizer = "models/tiny/tokenizer";
  app.add_option("--tokenizer", checkpoint.tokenizer, "Folder with spiece.model")
      ->capture_default_str();
  app.add_option("--seed", checkpoint.seed, "Seed of the weights")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error, std::cout, std::cerr) == 0) return;  // --help
    mxdit::fail(mxdit::ErrorKind::usage, "[tools] arguments: see --help");
  }
  checkpoint.shape = *mxdit::random_models::find_wan_shape(shape);
  if (layers > 0) checkpoint.shape.transformer.layers = layers;
  if (text_layers > 0) checkpoint.shape.text_encoder.layers = text_layers;
  mxdit::tools::write_random_checkpoint(
      checkpoint, [](const std::string& line) { std::cout << line << std::endl; });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
    return 0;
  } catch (const mxdit::Error& error) {
    std::cerr << "error: " << error.what() << "\n";
    return mxdit::exit_status(error.kind());
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return mxdit::exit_status(mxdit::ErrorKind::internal);
  }
}
