// Showing how far a run is. All displays may be called from any thread.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "mxdit/engine.h"

namespace mxdit::cli {

enum class ProgressMode { automatic, bar, plain, json, none };

// One of auto, bar, plain, json, none.
ProgressMode parse_progress_mode(const std::string& name);

class ProgressDisplay {
 public:
  virtual ~ProgressDisplay() = default;
  virtual void update(const Progress& progress) = 0;
  // A whole line beside the progress, on standard error.
  virtual void message(const std::string& line) = 0;
  // A video was written.
  virtual void file(const std::string& path, const GeneratedVideo& video) = 0;
  virtual void error(const Error& error) { (void)error; }
};

// Where the program writes: paths and JSON go to `out`, the rest to `err`.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;
};

// automatic: bars on a terminal, else plain lines.
std::unique_ptr<ProgressDisplay> make_progress_display(ProgressMode mode, const Console& console);

// Seconds that the stage still needs by its pace so far; negative while unknown.
double remaining_seconds(const Progress& progress);

// The stage, with the video's number when there are several: "denoise 2/4".
std::string stage_text(const Progress& progress);

// 12.3 s as "0:12", 4000 s as "1:06:40".
std::string clock_text(double seconds);

// "3.21 s", "123 ms": three digits.
std::string duration_text(double seconds);

}  // namespace mxdit::cli
