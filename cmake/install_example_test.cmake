# Installs into an empty prefix, builds examples/generate against it and runs both programs there.
# cmake -D BUILD= -D EXAMPLE= -D WORK= -D GENERATOR= -D COMPILER= -D FLAGS= -P this file
set(prefix ${WORK}/prefix)
file(REMOVE_RECURSE ${WORK})

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "status ${status}: ${ARGV}")
  endif()
endfunction()

set(flags "")
if(FLAGS)
  set(flags -DCMAKE_CXX_FLAGS=-fsanitize=${FLAGS})
endif()
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
run(${CMAKE_COMMAND} -S ${EXAMPLE} -B ${WORK}/build -G ${GENERATOR}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_BUILD_TYPE=Release ${flags})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/generate ${WORK}/example.mp4)
run(${prefix}/bin/mxdit --version)
run(${prefix}/bin/mxdit generate "red dots on a blue background moving left" --num-inference-steps 1 --num-frames 1
    --output-file-path ${WORK}/program.png)
foreach(name example.mp4 program.png)
  file(SIZE ${WORK}/${name} size)
  if(size EQUAL 0)
    message(FATAL_ERROR "${name} is empty")
  endif()
endforeach()
# Installed means installed: the model comes from the prefix, not from the source tree.
execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=MXDIT_EMBEDDED_MODEL
                ${prefix}/bin/mxdit generate "red dots on a blue background moving left" --num-inference-steps 1 --num-frames 1
                --no-save-output --perf-dump-path ${WORK}/perf.json RESULT_VARIABLE status)
file(READ ${WORK}/perf.json perf)
string(JSON model GET "${perf}" meta model_path)
string(FIND "${model}" "${prefix}/share" position)
if(NOT position EQUAL 0)
  message(FATAL_ERROR "expected the model below ${prefix}/share, got ${model}")
endif()
