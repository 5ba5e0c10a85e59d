# What a fully static build (preset `image`, Debian 13) links: each name of PLANKTON_LINK_* in
# Layers.cmake as a target, so that the libraries need not know. Included where PLANKTON_STATIC is
# set.
#
# Debian has an archive of most libraries. civetweb and cJSON are built here from the sources of
# their packages, which cmake/static/fetch.sh gets (by apt, so it must be usable).

set(sources "${CMAKE_BINARY_DIR}/sources")
execute_process(COMMAND "${CMAKE_SOURCE_DIR}/cmake/static/fetch.sh" "${sources}"
  COMMAND_ERROR_IS_FATAL ANY)

# plankton_archive(NAME FILE [libraries that it needs...]): an archive of Debian's, without the
# tables for unwinding its functions: C does not unwind, and they are a tenth of a program.
function(plankton_archive name file)
  find_library(PLANKTON_ARCHIVE_${name} ${file} PATHS "${sources}/postgres" REQUIRED)
  mark_as_advanced(PLANKTON_ARCHIVE_${name})
  set(slim "${CMAKE_BINARY_DIR}/archives/${file}")
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/archives")
  execute_process(COMMAND "${CMAKE_OBJCOPY}" --remove-section .eh_frame
    "${PLANKTON_ARCHIVE_${name}}" "${slim}" COMMAND_ERROR_IS_FATAL ANY)
  add_library(${name} STATIC IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION "${slim}"
    INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()

# plankton_foreign(NAME SOURCE...): code that is not ours, with our hardening and without our
# warnings.
function(plankton_foreign name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PRIVATE plankton_flags)
  target_compile_options(${name} PRIVATE -w)
endfunction()

plankton_archive(crypto libcrypto.a)
plankton_archive(ssl libssl.a crypto)
plankton_archive(sodium libsodium.a)
plankton_archive(sqlite3 libsqlite3.a m)
plankton_archive(protobuf_c libprotobuf-c.a)
plankton_archive(nats libnats_static.a ssl sodium protobuf_c)
plankton_archive(pgport libpgport_shlib.a)
plankton_archive(pgcommon libpgcommon_shlib.a pgport crypto)
plankton_foreign(pq_rest "${CMAKE_SOURCE_DIR}/cmake/static/libpq.c")
plankton_archive(pq libpq.a pgcommon pgport ssl pq_rest)

plankton_foreign(cjson "${sources}/cjson/cJSON.c")
# <cjson/cJSON.h>, as Debian installs it.
file(COPY "${sources}/cjson/cJSON.h" DESTINATION "${CMAKE_BINARY_DIR}/include/cjson")
target_include_directories(cjson INTERFACE "${CMAKE_BINARY_DIR}/include")

# As Debian configures it, less what libs/http has no use for: files, scripts, TLS (which it would
# load with dlopen).
plankton_foreign(civetweb "${sources}/civetweb/src/civetweb.c")
target_compile_definitions(civetweb PRIVATE USE_IPV6 USE_STACK_SIZE=102400
  NO_SSL NO_CGI NO_FILES)
target_include_directories(civetweb PUBLIC "${sources}/civetweb/include")

add_library(crypto_rest OBJECT "${CMAKE_SOURCE_DIR}/cmake/static/libcrypto.c")
target_link_libraries(crypto_rest PRIVATE plankton_flags)

# plankton_static_program(NAME [libraries of ours that it uses...]): what is linked in place of
# parts of the archives.
function(plankton_static_program name)
  target_sources(${name} PRIVATE $<TARGET_OBJECTS:crypto_rest>)
  if(NOT "sql" IN_LIST ARGN AND NOT "event" IN_LIST ARGN)
    target_sources(${name} PRIVATE "${CMAKE_SOURCE_DIR}/cmake/static/no_database.c")
    target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/libs/sql/src")
  endif()
endfunction()
