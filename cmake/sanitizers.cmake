# MXDIT_SANITIZE=address,undefined | thread: for every target, since a half-instrumented program lies.
if(MXDIT_SANITIZE)
  add_compile_options(-fsanitize=${MXDIT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
  add_link_options(-fsanitize=${MXDIT_SANITIZE})
endif()
