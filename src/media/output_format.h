// Which kind of file a name asks for.
#pragma once

#include <string>

namespace mxdit::media {

enum class OutputFormat { mp4, gif, png, frame_folder };

// By the extension, in any case; no extension or a trailing '/' means a folder of frames. Throws
// Error{usage} listing the known ones.
OutputFormat output_format(const std::string& path);

}  // namespace mxdit::media
