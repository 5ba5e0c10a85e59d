# Run by ctest: a PROGRAM that prints a document takes, with --check, what it printed itself, and tells
# what mends anything else.
get_filename_component(name "${PROGRAM}" NAME)
set(document "${CMAKE_CURRENT_BINARY_DIR}/${name}-of-this-test.md")
execute_process(COMMAND "${PROGRAM}" OUTPUT_FILE "${document}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${PROGRAM}" --check "${document}" COMMAND_ERROR_IS_FATAL ANY)
foreach(change "one more line" "remove")
  if(change STREQUAL "remove")
    file(REMOVE "${document}")
  else()
    file(APPEND "${document}" "${change}\n")
  endif()
  execute_process(COMMAND "${PROGRAM}" --check "${document}"
    RESULT_VARIABLE result ERROR_VARIABLE err)
  if(NOT result EQUAL 1 OR NOT err MATCHES "is stale: run ./dev docs and commit it")
    message(FATAL_ERROR "${change}: exit ${result}, complained: ${err}")
  endif()
endforeach()
