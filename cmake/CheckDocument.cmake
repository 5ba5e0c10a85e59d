# Run by ctest: DOCUMENT is what PROGRAM prints (with ARGUMENT, if there is one).
get_filename_component(name "${DOCUMENT}" NAME)
set(fresh "${CMAKE_CURRENT_BINARY_DIR}/fresh-${name}")
execute_process(COMMAND "${PROGRAM}" ${ARGUMENT} OUTPUT_FILE "${fresh}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" -E compare_files "${fresh}" "${DOCUMENT}"
  RESULT_VARIABLE differs ERROR_QUIET)
if(differs)
  message(FATAL_ERROR "${DOCUMENT} is stale: run ./dev docs and commit it")
endif()
