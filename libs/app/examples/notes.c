/*
 * A service with a table, three routes and an event: what docs/writing-a-service.md explains.
 */
#include <app/app.h>
#include <base/clock.h>
#include <base/str.h>
#include <sql/table.h>

/* --- what a note is, once for JSON, validation, the document and the table --- */

struct note {
    char id[UUID_TEXT];
    char text[MODEL_TEXT(500)];
    int64_t created_at_ms;
};

static const struct field note_fields[] = {
    FIELD(struct note, id, UUID, .flags = READ_ONLY),
    FIELD(struct note, text, STRING, .flags = REQUIRED, .min = 1, .max = 500),
    FIELD(struct note, created_at_ms, TIME, .json = "created_at", .flags = READ_ONLY),
};
static const struct model note_model = MODEL(struct note, note_fields, "Something to remember");

static const struct err_kind NOTE_NOT_FOUND = {
    "note_not_found", 404, "Note not found", false, "There is no note with this id.",
};

/* --- the table --- */

static const struct sql_migration migration_rows[] = {
    {.version = 1,
     .name = "notes",
     .sql = "CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY, text TEXT NOT NULL,"
            " created_at BIGINT NOT NULL);"
            " CREATE INDEX notes_by_creation ON notes (created_at, id);"},
};
static const struct sql_migrations migrations = {migration_rows, ARRAY_LEN(migration_rows)};

static const struct sql_table notes_table = {
    .name = "notes",
    .model = &note_model,
    .key = "id",
    .sorts = SQL_SORTS(SQL_SORT("created_at")),
    .filters =
        SQL_FILTERS(SQL_FILTER("created_after", .column = "created_at", .compare = SQL_GREATER)),
};

struct note_query {
    SQL_LIST_MEMBERS;
    int64_t created_after;
    struct model_presence given;
};

static const char *const note_sorts[] = {"created_at", "-created_at", NULL};
static const struct field note_query_fields[] = {
    SQL_LIST_FIELDS(struct note_query, note_sorts, "created_at"),
    FIELD(struct note_query, created_after, TIME),
};
static const struct model note_query_model =
    MODEL_WITH_PRESENCE(struct note_query, note_query_fields, given, "Which notes");

/* --- the routes; http_state() is what start() made --- */

static struct err *publish_created(struct bus *bus, struct ctx *ctx, const struct note *note)
{
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(8192);
    struct json_writer writer = JSON_WRITER(&json);
    model_write(&note_model, note, &writer);
    if (buf_status(&json) != BUF_OK)
        return err_oom();
    return bus_publish(bus, ctx, "notes.v1.events.created", note->id, json.data, json.len);
}

static struct err *insert_note(struct sql_db *db, struct ctx *ctx, struct note *note)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    return sql_table_insert(conn, ctx, &notes_table, note);
}

static struct err *create_note(struct http_req *req, struct http_res *res)
{
    struct app_runtime *runtime = http_state(req);
    const struct note *in = http_body(req);
    struct note note = {.created_at_ms = clock_now_ms()};
    str_copy(note.text, sizeof(note.text), in->text);
    TRY(insert_note(runtime->db, http_ctx(req), &note));
    TRY_WRAP(publish_created(runtime->bus, http_ctx(req), &note), "tell of note %s", note.id);
    TRY(http_set_header(res, "Location", "/api/v1/notes/%s", note.id));
    return http_reply(res, 201, &note_model, &note);
}

static struct err *read_note(struct http_req *req, struct http_res *res)
{
    struct app_runtime *runtime = http_state(req);
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(runtime->db, http_ctx(req), &conn));
    struct note note = {0};
    struct err *e = sql_table_fetch(conn, http_ctx(req), &notes_table,
                                    SQL_TEXT(http_param(req, "id")), NULL, &note);
    if (err_is(e, &SQL_NO_ROWS))
        return err_wrap_as(e, &NOTE_NOT_FOUND, "there is no note %s", http_param(req, "id"));
    TRY(e);
    return http_reply(res, 200, &note_model, &note);
}

static struct err *list_notes(struct http_req *req, struct http_res *res)
{
    struct app_runtime *runtime = http_state(req);
    struct sql_list list;
    struct sql_page page;
    TRY(sql_list_from(&note_query_model, http_query(req), &list));
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(runtime->db, http_ctx(req), &conn));
    TRY(sql_table_list(conn, http_ctx(req), &notes_table, &list, http_arena(req), &page));
    return http_reply_list(res, &note_model, page.items, page.count, page.next_cursor);
}

static const struct route routes[] = {
    {POST, "/api/v1/notes", create_note, .summary = "Write a note", .in = &note_model,
     .out = &note_model, .status = 201, .allow = ANYONE},
    {GET, "/api/v1/notes", list_notes, .summary = "List notes", .query = &note_query_model,
     .out = &note_model, .list = true, .allow = ANYONE},
    {GET, "/api/v1/notes/{id}", read_note, .summary = "Read a note", .out = &note_model,
     .allow = ANYONE, .fails = KINDS(&NOTE_NOT_FOUND)},
};

/* --- the process --- */

static const struct bus_stream streams[] = {
    {.name = "NOTES", .subjects = "notes.v1.events.>"},
};

static struct err *start(struct app_runtime *runtime, void **out_state)
{
    *out_state = runtime; /* a larger service makes a struct of its own here */
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct app notes = {
        .name = "notes",
        .database_url = "sqlite:notes.db",
        .needs = APP_DATABASE | APP_BUS,
        .routes = {routes, ARRAY_LEN(routes)},
        .migrations = &migrations,
        .streams = streams,
        .stream_count = ARRAY_LEN(streams),
        .start = start,
    };
    return app_run(argc, argv, &notes);
}
