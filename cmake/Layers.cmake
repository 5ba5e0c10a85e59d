# The layer table of docs/architecture.md, kept by the configure step.
#
#   plankton_library(NAME LAYER n PREFIXES p... [DEPENDS lib...] [THIRD_PARTY tp...])
#   plankton_service(NAME [DEPENDS lib...] [THIRD_PARTY tp...])
#   plankton_example(NAME LIB)
#
# - A library may depend on lower layers only. Every link is read back at the end of the configure
#   step (plankton_check_layers), so a plain target_link_libraries() cannot get round the table.
# - A third-party library has one owner (PLANKTON_OWNER_<tp> below), which links it PRIVATE. Every
#   other target sees a header of the same name that is an #error.
# - Exported symbols begin with one of the PREFIXES (tests/repo checks that with nm).

set(PLANKTON_OWNER_cjson model)
set(PLANKTON_OWNER_civetweb http)
set(PLANKTON_OWNER_libpq sql)
set(PLANKTON_OWNER_sqlite3 sql)
set(PLANKTON_OWNER_nats bus)
set(PLANKTON_OWNER_crypto jose)
set(PLANKTON_OWNER_ssl http)
set(PLANKTON_OWNER_sodium auth)

# As they are included. A pattern stands for what the compiler's own include directories have.
set(PLANKTON_HEADERS_cjson cjson/cJSON.h cjson/*.h cJSON.h)
set(PLANKTON_HEADERS_civetweb civetweb.h)
set(PLANKTON_HEADERS_libpq libpq-fe.h postgresql/libpq-fe.h postgresql/*.h)
set(PLANKTON_HEADERS_sqlite3 sqlite3.h sqlite3ext.h)
set(PLANKTON_HEADERS_nats nats.h nats/nats.h nats/*.h)
set(PLANKTON_HEADERS_crypto openssl/evp.h openssl/*.h)
set(PLANKTON_HEADERS_ssl openssl/ssl.h)
set(PLANKTON_HEADERS_sodium sodium.h sodium/*.h)
set(PLANKTON_THIRD_PARTY cjson civetweb libpq sqlite3 nats crypto ssl sodium)

set(PLANKTON_LINK_cjson cjson)
set(PLANKTON_LINK_civetweb civetweb)
set(PLANKTON_LINK_libpq "") # loaded at run time: libs/sql/src/libpq.h
if(PLANKTON_STATIC)
  set(PLANKTON_LINK_libpq pq)
endif()
set(PLANKTON_LINK_sqlite3 sqlite3)
set(PLANKTON_LINK_nats nats)
set(PLANKTON_LINK_crypto crypto)
set(PLANKTON_LINK_ssl ssl crypto)
set(PLANKTON_LINK_sodium sodium)

# What every target may link besides: parts of libc, and the flags.
set(PLANKTON_LINK_ANY plankton_flags Threads::Threads m)

set(PLANKTON_SERVICE_LAYER 5)

cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH PLANKTON_ROOT)

if(BUILD_TESTING)
  find_library(PLANKTON_CMOCKA cmocka REQUIRED)
  # Linked into every test program: <alloc_fail.h>.
  add_library(plankton_test_support OBJECT "${PLANKTON_ROOT}/tests/support/alloc_fail.c"
    "${PLANKTON_ROOT}/tests/support/nats_server.c")
  # Across files the compiler would find that malloc() cannot see what alloc_fail_after() sets.
  set_target_properties(plankton_test_support PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
  target_include_directories(plankton_test_support INTERFACE "${PLANKTON_ROOT}/tests/support")
  target_link_libraries(plankton_test_support PRIVATE plankton_flags)
  target_link_options(plankton_test_support INTERFACE LINKER:--wrap=malloc,--wrap=calloc
    LINKER:--wrap=realloc,--wrap=strdup,--wrap=strndup)
endif()

# Headers that stop the build of whoever does not own the library.
function(_plankton_block_headers tp)
  set(headers)
  foreach(pattern IN LISTS PLANKTON_HEADERS_${tp})
    if(NOT pattern MATCHES "\\*")
      list(APPEND headers "${pattern}")
      continue()
    endif()
    foreach(directory IN LISTS CMAKE_C_IMPLICIT_INCLUDE_DIRECTORIES)
      file(GLOB found RELATIVE "${directory}" "${directory}/${pattern}")
      list(APPEND headers ${found})
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES headers)
  foreach(header IN LISTS headers)
    file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/blocked/${tp}/${header}" CONTENT
      "#error \"<${header}> belongs to ${PLANKTON_OWNER_${tp}} alone (cmake/Layers.cmake)\"\n")
  endforeach()
endfunction()
foreach(tp IN LISTS PLANKTON_THIRD_PARTY)
  _plankton_block_headers(${tp})
endforeach()

# Links each third-party library of the list to the target and hides all others from it.
function(_plankton_third_party target owner)
  foreach(tp IN LISTS ARGN)
    if(NOT "${PLANKTON_OWNER_${tp}}" STREQUAL "${owner}")
      message(FATAL_ERROR "layers: ${owner} may not use ${tp}: it belongs to "
        "${PLANKTON_OWNER_${tp}} (cmake/Layers.cmake)")
    endif()
    target_link_libraries(${target} PRIVATE ${PLANKTON_LINK_${tp}})
  endforeach()
  foreach(tp IN LISTS PLANKTON_THIRD_PARTY)
    # <openssl/ssl.h> itself includes the headers of libcrypto.
    if(tp IN_LIST ARGN OR (tp STREQUAL "crypto" AND "ssl" IN_LIST ARGN))
      continue()
    endif()
    target_include_directories(${target} BEFORE PRIVATE "${CMAKE_BINARY_DIR}/blocked/${tp}")
  endforeach()
endfunction()

# One test program for each test/test_*.c; it sees what its library sees, src/ included. Other
# sources in test/ are shared by the test programs, and those of services have <service_test.h>.
function(_plankton_tests target owner)
  file(GLOB tests CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/test/test_*.c")
  file(GLOB shared CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/test/*.c")
  if(tests)
    list(REMOVE_ITEM shared ${tests})
  endif()
  if(target MATCHES "_service$")
    list(APPEND shared "${PLANKTON_ROOT}/tests/support/service_test.c"
      "${PLANKTON_ROOT}/tests/support/test_database.c"
      "${PLANKTON_ROOT}/tests/support/promises.c")
  endif()
  foreach(source IN LISTS tests)
    get_filename_component(name "${source}" NAME_WE)
    string(REGEX REPLACE "^test_" "test_${owner}_" program "${name}")
    add_executable(${program} "${source}" ${shared})
    target_link_libraries(${program} PRIVATE
      ${target} plankton_flags plankton_test_support ${PLANKTON_CMOCKA})
    target_include_directories(${program} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src"
      "${CMAKE_CURRENT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}/test")
    _plankton_third_party(${program} ${owner} ${ARGN})
    add_test(NAME ${owner}.${name} COMMAND ${program}
      WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/test")
    set_tests_properties(${owner}.${name} PROPERTIES TIMEOUT 120 LABELS "unit;${owner}"
      ENVIRONMENT "${PLANKTON_TEST_ENVIRONMENT}")
  endforeach()
endfunction()

# What a sanitizer run needs to know; nothing in the other builds.
set(PLANKTON_TEST_ENVIRONMENT
  "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0"
  "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
  "LSAN_OPTIONS=suppressions=${PLANKTON_ROOT}/cmake/lsan.supp:print_suppressions=0"
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${PLANKTON_ROOT}/cmake/tsan.supp")

function(_plankton_declare target layer)
  set_property(GLOBAL APPEND PROPERTY PLANKTON_TARGETS ${target})
  set_property(GLOBAL PROPERTY PLANKTON_LAYER_${target} ${layer})
endfunction()

function(plankton_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LAYER" "PREFIXES;DEPENDS;THIRD_PARTY")
  if(NOT DEFINED arg_LAYER OR NOT arg_PREFIXES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "layers: ${name}: LAYER and PREFIXES are needed, "
      "'${arg_UNPARSED_ARGUMENTS}' is not understood")
  endif()
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/*.c")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/include/*.h")
  add_library(${name} STATIC ${sources})
  # Public headers compile alone: `cmake --build --target all_verify_interface_header_sets`.
  target_sources(${name} PUBLIC FILE_SET HEADERS
    BASE_DIRS "${CMAKE_CURRENT_SOURCE_DIR}/include" FILES ${headers})
  set_target_properties(${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON LINKER_LANGUAGE C)
  target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS} PRIVATE plankton_flags)
  _plankton_third_party(${name} ${name} ${arg_THIRD_PARTY})
  _plankton_declare(${name} ${arg_LAYER})
  set_property(GLOBAL PROPERTY PLANKTON_PREFIXES_${name} "${arg_PREFIXES}")
  if(BUILD_TESTING)
    _plankton_tests(${name} ${name} ${arg_THIRD_PARTY})
  endif()
endfunction()

# services/NAME: everything but main.c is also the library that its tests link.
function(plankton_service name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;THIRD_PARTY")
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.c")
  list(REMOVE_ITEM sources "${CMAKE_CURRENT_SOURCE_DIR}/main.c")
  file(GLOB migrations CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/migrations/*.sql")
  if(migrations)
    plankton_embed_migrations(${name} generated ${migrations})
    list(APPEND sources "${generated}")
  endif()
  set(target ${name}_service)
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(${target} PUBLIC ${arg_DEPENDS} PRIVATE plankton_flags)
  _plankton_third_party(${target} ${name} ${arg_THIRD_PARTY})
  _plankton_declare(${target} ${PLANKTON_SERVICE_LAYER})
  add_executable(${name} main.c)
  target_link_libraries(${name} PRIVATE ${target} plankton_flags)
  target_link_options(${name} PRIVATE -Werror) # what LTO finds; it knows too little of cmocka
  _plankton_third_party(${name} ${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  if(PLANKTON_STATIC)
    plankton_static_program(${name} ${arg_DEPENDS})
  endif()
  if(BUILD_TESTING)
    _plankton_tests(${target} ${name} ${arg_THIRD_PARTY})
    if(migrations)
      _plankton_tests_on_postgres(${name})
    endif()
  endif()
endfunction()

# The same programs once more, over PostgreSQL (tests/support/service_test.h).
function(_plankton_tests_on_postgres name)
  file(GLOB tests CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/test/test_*.c")
  set(programs)
  foreach(source IN LISTS tests)
    get_filename_component(program "${source}" NAME_WE)
    string(REGEX REPLACE "^test_(.*)$" "$<TARGET_FILE:test_${name}_\\1>" program "${program}")
    list(APPEND programs "${program}")
  endforeach()
  add_test(NAME ${name}.postgres
    COMMAND "${PLANKTON_ROOT}/tests/support/with_postgres.sh" ${programs}
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/test")
  set_tests_properties(${name}.postgres PROPERTIES TIMEOUT 300 LABELS "unit;${name}"
    SKIP_RETURN_CODE 77 ENVIRONMENT "${PLANKTON_TEST_ENVIRONMENT}")
endfunction()

# examples/NAME.c of a library becomes the program example_NAME. The caller adds its test.
function(plankton_example name lib)
  add_executable(example_${name} "${CMAKE_CURRENT_SOURCE_DIR}/examples/${name}.c")
  target_link_libraries(example_${name} PRIVATE ${lib} plankton_flags)
  _plankton_third_party(example_${name} examples)
endfunction()

# Reads back every link that was made, however it was made, and holds it against the table: what is
# neither one of ours in a lower layer nor a library of its own is refused.
function(plankton_check_layers)
  get_property(targets GLOBAL PROPERTY PLANKTON_TARGETS)
  foreach(target IN LISTS targets)
    string(REGEX REPLACE "_service$" "" owner "${target}")
    set(own)
    foreach(tp IN LISTS PLANKTON_THIRD_PARTY)
      if(PLANKTON_OWNER_${tp} STREQUAL owner)
        list(APPEND own ${PLANKTON_LINK_${tp}})
      endif()
    endforeach()
    get_target_property(links ${target} LINK_LIBRARIES)
    get_target_property(interface ${target} INTERFACE_LINK_LIBRARIES)
    foreach(link IN LISTS links interface)
      # CMake marks a link that was made in another directory: "::@(0x1234)" name "::@".
      if(link AND NOT link MATCHES "^::@")
        _plankton_check_link(${target} "${link}" "${targets}" "${own}" "${interface}")
      endif()
    endforeach()
  endforeach()
  plankton_write_prefixes()
endfunction()

function(_plankton_check_link target link targets own interface)
  string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" name "${link}")
  get_property(layer GLOBAL PROPERTY PLANKTON_LAYER_${target})
  if(name IN_LIST targets)
    get_property(other GLOBAL PROPERTY PLANKTON_LAYER_${name})
    if(NOT other LESS layer)
      message(FATAL_ERROR "layers: ${target} (layer ${layer}) may not depend on ${name} "
        "(layer ${other}): only on lower layers")
    endif()
  elseif(name IN_LIST own)
    if(name IN_LIST interface)
      message(FATAL_ERROR "layers: ${target} must link ${name} PRIVATE")
    endif()
  elseif(NOT name IN_LIST PLANKTON_LINK_ANY)
    message(FATAL_ERROR "layers: ${target} may not link ${name}: it is no library of ours and "
      "${target} owns no third-party library of this name (cmake/Layers.cmake)")
  endif()
endfunction()

# For tests/repo: which prefixes the symbols of each archive may have.
function(plankton_write_prefixes)
  get_property(targets GLOBAL PROPERTY PLANKTON_TARGETS)
  set(lines "")
  foreach(target IN LISTS targets)
    get_property(prefixes GLOBAL PROPERTY PLANKTON_PREFIXES_${target})
    if(prefixes)
      list(JOIN prefixes " " words)
      string(APPEND lines "${target} ${words}\n")
    endif()
  endforeach()
  file(WRITE "${CMAKE_BINARY_DIR}/prefixes.txt" "${lines}")
endfunction()
