# plankton_embed_migrations(users out users/migrations/0001_users.sql ...)
#
# Writes a C file that defines `const struct sql_migrations users_migrations` (<sql/migrate.h>). A file is NNNN_name.sql, or
# NNNN_name.sqlite.sql and NNNN_name.postgres.sql where the dialects differ.
function(plankton_embed_migrations name out)
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/${name}_migrations.c")
  list(JOIN ARGN "|" files)
  add_custom_command(OUTPUT "${generated}"
    COMMAND "${CMAKE_COMMAND}" "-DNAME=${name}" "-DFILES=${files}" "-DOUT=${generated}"
      -P "${CMAKE_SOURCE_DIR}/cmake/EmbedMigrations.cmake"
    DEPENDS ${ARGN} "${CMAKE_SOURCE_DIR}/cmake/EmbedMigrations.cmake"
    COMMENT "Embedding the migrations of ${name}" VERBATIM)
  set(${out} "${generated}" PARENT_SCOPE)
endfunction()
