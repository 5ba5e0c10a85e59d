# Run by cmake -P; see Embed.cmake.
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
  string(REGEX REPLACE "^0+" "" version "${version}")
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const char text_${index}[] = {${bytes}0};\n")
  string(APPEND rows
    "    {.version = ${version}, .name = \"${title}\", .dialect = ${dialect}, .sql = text_${index}},\n")
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
