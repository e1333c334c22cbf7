# mxdit_isa_sources(ROOM FLAGS file...): compiles the files of one instruction-set folder with its
# own flags. Such files may include only kernel_table.h and intrinsics: an inline function shared
# with baseline code could otherwise be kept in its AVX-512 copy by the linker.
function(mxdit_isa_sources FLAGS)
  separate_arguments(flags UNIX_COMMAND "${FLAGS}")
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "${flags}")
endfunction()
