add_library(mxdit_warnings INTERFACE)
target_compile_options(mxdit_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
                       -Woverloaded-virtual -Wvla)
# g++ 12 sees overlaps in `"literal" + std::string` that cannot be.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(mxdit_warnings INTERFACE -Wno-restrict)
endif()
if(MXDIT_WERROR)
  target_compile_options(mxdit_warnings INTERFACE -Werror)
endif()
