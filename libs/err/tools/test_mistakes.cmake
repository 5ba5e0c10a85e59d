# Run by ctest: error-codes tells every mistake of wrong_kinds.inc, and no other.
execute_process(COMMAND "${PROGRAM}" RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE err)
set(expected "error-codes: libs/first: \"Upper_case\" is not snake_case
error-codes: libs/first: \"two__underscores\" is not snake_case
error-codes: libs/first: \"ends_\" is not snake_case
error-codes: libs/first: \"\" is not snake_case
error-codes: libs/first: \"success\" has no status from 400 to 599
error-codes: libs/first: \"no_title\" has no title
error-codes: libs/first: \"no_help\" has no help
error-codes: services/second: \"fine\" is declared already, or otherwise, by libs/first
error-codes: services/third: \"shared\" is declared already, or otherwise, by services/third
error-codes: services/third: \"differs\" is declared already, or otherwise, by services/second
")
if(NOT result EQUAL 1 OR NOT out STREQUAL "" OR NOT err STREQUAL expected)
  message(FATAL_ERROR "exit ${result}, printed '${out}' and complained:\n${err}")
endif()
