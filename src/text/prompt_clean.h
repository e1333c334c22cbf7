// What a prompt goes through before it is tokenized: WanPipeline's prompt_clean, which is
// ftfy.fix_text (6.3.1, defaults), html.unescape twice, runs of white space to one space, strip.
#pragma once

#include <string>
#include <string_view>

namespace mxdit {

// The cleaned prompt, UTF-8. Error{usage} when `prompt` is not UTF-8, with byte and offset.
std::string prompt_clean(std::string_view prompt);

}  // namespace mxdit
