# Installs the program, the library with its CMake package and the embedded model.
if(NOT TARGET mxdit OR NOT TARGET mxdit_program)
  return()
endif()
include(CMakePackageConfigHelpers)

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/mxdit)
install(TARGETS mxdit EXPORT mxditTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS mxdit_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/mxdit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT mxditTargets NAMESPACE mxdit:: DESTINATION ${config_folder})

configure_package_config_file(cmake/mxditConfig.cmake.in ${PROJECT_BINARY_DIR}/mxditConfig.cmake
                              INSTALL_DESTINATION ${config_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mxditConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mxditConfig.cmake ${PROJECT_BINARY_DIR}/mxditConfigVersion.cmake
        DESTINATION ${config_folder})

# What loading needs; how the model was made stays in the source tree.
install(DIRECTORY models/tiny DESTINATION ${CMAKE_INSTALL_DATADIR}/mxdit/models
        FILES_MATCHING PATTERN "*.json" PATTERN "*.safetensors" PATTERN "*.model"
        PATTERN "train" EXCLUDE)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(MXDIT_BUILD_TESTS)
  # A program outside this tree finds, links and runs the installed library.
  add_test(NAME install_example_test COMMAND ${CMAKE_COMMAND}
    -D BUILD=${PROJECT_BINARY_DIR} -D EXAMPLE=${PROJECT_SOURCE_DIR}/examples/generate
    -D WORK=${PROJECT_BINARY_DIR}/install_example_test -D GENERATOR=${CMAKE_GENERATOR}
    -D COMPILER=${CMAKE_CXX_COMPILER} -D FLAGS=${MXDIT_SANITIZE}
    -P ${PROJECT_SOURCE_DIR}/cmake/install_example_test.cmake)
  set_tests_properties(install_example_test PROPERTIES LABELS slow TIMEOUT 900)
endif()
