# Run by cmake -P; see Embed.cmake.

# The first line of a file may say which programs can do without knowing it: "-- works with: 0003" (<sql/migrate.h>). It is
# left out of the text, so that it may be set, mended and taken back later. A comment that begins like it and is not it is refused.
function(read_migration file version out_hex out_works_with)
  file(READ "${file}" text)
  file(READ "${file}" hex HEX)
  set(works_with 0)
  if(text MATCHES "^-- works with: ([0-9][0-9][0-9][0-9])\n")
    set(works_with "${CMAKE_MATCH_1}")
    string(LENGTH "${CMAKE_MATCH_0}" length)
    string(SUBSTRING "${text}" ${length} -1 text)
    string(PREPEND text "\n")
    string(FIND "${hex}" "0a" length) # a carriage return before it was in no text
    math(EXPR length "${length} + 2")
    string(SUBSTRING "${hex}" ${length} -1 hex)
    if(NOT works_with GREATER 0 OR NOT works_with LESS version)
      message(FATAL_ERROR "${file}:1: works with ${works_with}, which is none before ${version}")
    endif()
    string(REGEX REPLACE "^0+" "" works_with "${works_with}")
  endif()
  string(TOLOWER "\n${text}" text)
  if(text MATCHES "\n[ \t]*--[ \t]*works[ _-]*with")
    string(FIND "${text}" "${CMAKE_MATCH_0}" place)
    string(SUBSTRING "${text}" 0 ${place} before)
    string(REGEX MATCHALL "\n" newlines "${before}\n")
    list(LENGTH newlines line)
    message(FATAL_ERROR "${file}:${line}: not \"-- works with: NNNN\" on the first line")
  endif()
  set(${out_hex} "${hex}" PARENT_SCOPE)
  set(${out_works_with} "${works_with}" PARENT_SCOPE)
endfunction()

string(REPLACE "|" ";" files "${FILES}")
list(SORT files)
set(arrays "")
set(rows "")
set(index 0)
foreach(file IN LISTS files)
  get_filename_component(base "${file}" NAME)
  if(NOT base MATCHES "^([0-9][0-9][0-9][0-9])_([a-z0-9_]+)(\\.(sqlite|postgres))?\\.sql$")
    message(FATAL_ERROR "${file}: not NNNN_name[.sqlite|.postgres].sql")
  endif()
  set(version "${CMAKE_MATCH_1}")
  set(title "${CMAKE_MATCH_2}")
  set(dialect "NULL")
  if(CMAKE_MATCH_4)
    set(dialect "\"${CMAKE_MATCH_4}\"")
  endif()
  read_migration("${file}" "${version}" hex works_with)
  string(REGEX REPLACE "^0+" "" version "${version}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const char text_${index}[] = {${bytes}0};\n")
  string(APPEND rows "    {.version = ${version}, .name = \"${title}\", .dialect = ${dialect}, "
    ".sql = text_${index}, .works_with = ${works_with}},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE "${OUT}" "/* Made from migrations/ by cmake/EmbedMigrations.cmake. */
#include <sql/migrate.h>

${arrays}
extern const struct sql_migrations ${NAME}_migrations;

static const struct sql_migration rows[] = {
${rows}};
const struct sql_migrations ${NAME}_migrations = {rows, ${index}};
")
