# mxdit_room(NAME SOURCES ... [DEPS lower rooms ...] [LIBS external targets ...])
#
# One room = one folder = one static library `room_NAME` (what unit tests link) and one object
# library `room_NAME_objects` (what goes into libmxdit). DEPS may only name lower rooms;
# tools/check_includes.py checks the includes against the same order.
set_property(GLOBAL PROPERTY MXDIT_ROOM_OBJECTS "")
set_property(GLOBAL PROPERTY MXDIT_ROOM_LIBS "")

function(mxdit_room NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LIBS" ${ARGN})
  set(objects room_${NAME}_objects)
  add_library(${objects} OBJECT ${ARG_SOURCES})
  target_include_directories(${objects} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${objects} PUBLIC Threads::Threads ${ARG_LIBS} PRIVATE mxdit_warnings)
  add_library(room_${NAME} STATIC $<TARGET_OBJECTS:${objects}>)
  target_include_directories(room_${NAME} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  list(TRANSFORM ARG_DEPS PREPEND room_ OUTPUT_VARIABLE deps)
  target_link_libraries(room_${NAME} PUBLIC ${deps} Threads::Threads ${ARG_LIBS})
  foreach(lib ${ARG_LIBS})
    target_link_libraries(${objects} PUBLIC ${lib})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY MXDIT_ROOM_OBJECTS ${objects})
  set_property(GLOBAL APPEND PROPERTY MXDIT_ROOM_LIBS ${ARG_LIBS})
endfunction()
