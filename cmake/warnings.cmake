add_library(mxdit_warnings INTERFACE)
target_compile_options(mxdit_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
                       -Woverloaded-virtual -Wvla)
if(MXDIT_WERROR)
  target_compile_options(mxdit_warnings INTERFACE -Werror)
endif()
