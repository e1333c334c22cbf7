// Makes a video with the embedded model: generate FILE [PROMPT]
#include <iostream>

#include "mxdit/engine.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: generate FILE [PROMPT]\n";
    return mxdit::exit_status(mxdit::ErrorKind::usage);
  }
  try {
    mxdit::check_video_path(argv[1]);
    mxdit::Engine engine(mxdit::EngineOptions{});
    std::cout << engine.info().model_name << " on " << engine.info().device << "\n";

    mxdit::GenerateRequest request;
    request.prompts = {argc > 2 ? argv[2] : "red dots on a blue background moving left"};
    request.seed = 42;
    const mxdit::GenerateResult result =
        engine.generate(request, [](const mxdit::Progress& progress) {
          if (progress.event == mxdit::Progress::Event::step)
            std::cout << progress.stage << " " << progress.step << "/" << progress.total << "\n";
        });

    const mxdit::GeneratedVideo& video = result.videos.front();
    mxdit::write_video(argv[1], video.video, video.metadata);
    std::cout << argv[1] << ": " << video.video.frames << " frames, " << result.report.total_seconds
              << " s\n";
  } catch (const mxdit::Error& error) {
    std::cerr << "generate: " << error.what() << "\n";
    return mxdit::exit_status(error.kind());
  }
  return 0;
}
