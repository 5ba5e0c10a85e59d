#include "event_test.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/str.h>
#include <model/json.h>
#include <slog/slog.h>

extern const struct sql_migrations event_test_migrations;

struct nats_server server;
struct test_database database;
struct bus *bus;

static const struct bus_stream stream = {
    .name = "THINGS", .subjects = "things.v1.events.>", .is_read_singly = true};

static int log_file;

int start_server(void **state)
{
    (void)state;
    const char *path = getenv("TEST_LOG");
    log_file = path ? open(path, O_RDWR | O_APPEND | O_CLOEXEC) : memfd_create("log", MFD_CLOEXEC);
    assert_true(log_file >= 0);
    slog_init(&(struct slog_options){.service = "test", .level = SLOG_INFO, .fd = log_file});
    nats_server_start(&server);
    return 0;
}

int stop_server(void **state)
{
    (void)state;
    nats_server_stop(&server);
    return 0;
}

struct bus *open_bus(const char *url)
{
    struct bus *opened = NULL;
    expect_ok(bus_open(&(struct bus_options){.url = url, .name = "things"}, &opened));
    expect_ok(bus_declare_stream(opened, &stream));
    return opened;
}

void await_connected(struct bus *a_bus)
{
    struct ctx ctx;
    ctx_init(&ctx, NULL, PATIENCE_MS);
    expect_ok(bus_wait(a_bus, &ctx));
    ctx_deinit(&ctx);
}

int set_up(void **state)
{
    (void)state;
    test_database_open(&database, &event_test_migrations);
    test_database_run(&database, "CREATE TABLE things (id VARCHAR(36) NOT NULL PRIMARY KEY, "
                                 "version BIGINT NOT NULL)");
    test_database_run(&database, "CREATE TABLE effects (id VARCHAR(36) NOT NULL, about "
                                 "VARCHAR(36) NOT NULL, version BIGINT NOT NULL)");
    bus = open_bus(server.url);
    await_connected(bus);
    expect_ok(bus_ensure_stream(bus, NULL, &stream)); /* now, not soon */
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    bus_close(bus);
    test_database_close(&database);
    nats_server_kill_and_wipe(&server);
    nats_server_restart(&server);
    return 0;
}

static const struct field thing_fields[] = {
    FIELD(struct thing, id, UUID, .flags = REQUIRED),
    FIELD(struct thing, version, INT, .flags = REQUIRED),
};
const struct model thing_model = MODEL(struct thing, thing_fields, "What the tests change");

struct changing {
    struct outbox *outbox;
    const char *id;
};

static struct err *run(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct changing *changing = data;
    struct thing thing;
    TRY(sql_fetch_one(conn, ctx, &thing_model, &thing, NULL,
                      "INSERT INTO things (id, version) VALUES ($1, 1) ON CONFLICT (id) "
                      "DO UPDATE SET version = things.version + 1 RETURNING id, version",
                      SQL_TEXT(changing->id)));
    return outbox_add(
        changing->outbox, conn, ctx,
        &(struct outbox_event){
            .type = THING_CHANGED, .about = thing.id, .model = &thing_model, .data = &thing});
}

struct err *change_thing(struct outbox *outbox, struct sql_db *db, const char *id)
{
    struct changing changing = {outbox, id};
    return sql_transact(db, NULL, run, &changing);
}

void change(struct outbox *outbox, const char *id)
{
    expect_ok(change_thing(outbox, database.db, id));
}

struct outbox *start_outbox(struct sql_db *db, struct bus *a_bus)
{
    struct outbox *outbox = NULL;
    expect_ok(outbox_start(&(struct outbox_options){.db = db, .bus = a_bus, .source = "things"},
                           &outbox));
    return outbox;
}

/* Tables tell nobody: asked often. */
void await_rows(const char *count_statement, int64_t count)
{
    int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    int64_t found;
    while ((found = test_database_number(&database, count_statement)) != count) {
        if (clock_mono_ms() > end_ms)
            fail_msg("%s: %lld, not %lld", count_statement, (long long)found, (long long)count);
        err_free(ctx_sleep(NULL, 2));
    }
}

struct err *note_effect(const struct inbox_event *event)
{
    const struct thing *thing = event->data;
    return sql_exec(event->conn, event->ctx,
                    "INSERT INTO effects (id, about, version) VALUES ($1, $2, $3)", NULL,
                    SQL_TEXT(event->id), SQL_TEXT(event->about), SQL_I64(thing->version));
}

const struct inbox_type thing_types[1] = {
    {THING_CHANGED, &thing_model, note_effect, "A thing has changed"}};

struct inbox *start_inbox(const struct inbox_options *options)
{
    struct inbox *inbox = NULL;
    expect_ok(inbox_start(options, &inbox));
    return inbox;
}

/* --- the log --- */

size_t log_length(void)
{
    struct stat status;
    assert_int_equal(fstat(log_file, &status), 0);
    return (size_t)status.st_size;
}

static bool has_parts(const char *line, size_t len, const char *const *parts)
{
    for (size_t i = 0; parts[i]; i++) {
        if (!memmem(line, len, parts[i], strlen(parts[i])))
            return false;
    }
    return true;
}

const char *await_logged(size_t after, const char *const *parts)
{
    static char text[64 * 1024];
    int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    for (;; err_free(ctx_sleep(NULL, 2))) {
        ssize_t len = pread(log_file, text, sizeof(text) - 1, (off_t)after);
        text[MAX(len, 0)] = '\0';
        for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
            if (has_parts(line, (size_t)(end - line), parts))
                return line;
        }
        if (clock_mono_ms() > end_ms)
            fail_msg("no line of the log has \"%s\" and the rest: %s", parts[0], text);
    }
}

/* --- what the stream has --- */

static void read_told(const struct bus_stored *stored, struct told *out_told)
{
    _cleanup_(json_free) struct json_doc *doc = NULL;
    expect_ok(json_parse(stored->bytes, stored->len, &doc));
    const struct json_value *root = json_root(doc);
    struct told told = {0};
    assert_true(str_copy(told.id, sizeof(told.id), json_string(json_get(root, "id"))));
    assert_true(str_copy(told.about, sizeof(told.about), json_string(json_get(root, "subject"))));
    assert_true(json_i64(json_get(json_get(root, "data"), "version"), &told.version));
    assert_true(str_copy(told.body, sizeof(told.body), stored->bytes));
    *out_told = told;
}

size_t read_stream(struct told *out_told, size_t max)
{
    struct bus_stream_info info;
    expect_ok(bus_fetch_stream_info(bus, NULL, "THINGS", &info));
    size_t count = 0;
    for (uint64_t at = info.first_sequence; at <= info.last_sequence; at++, count++) {
        _cleanup_(bus_stored_deinit) struct bus_stored stored = {0};
        assert_true(count < max);
        expect_ok(bus_fetch_stored(bus, NULL, "THINGS", at, &stored));
        read_told(&stored, &out_told[count]);
    }
    return count;
}

void expect_in_order(const struct told *told, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t before = 0;
        for (size_t k = 0; k < i; k++)
            before += str_equal(told[k].about, told[i].about);
        assert_int_equal(told[i].version, before + 1);
    }
}

void call_jetstream(const char *subject, const char *body)
{
    char full[256];
    snprintf(full, sizeof(full), "$JS.API.%s", subject);
    /* bus_publish() takes any answer that is no error for an acknowledgement. */
    expect_ok(bus_publish(bus, NULL, full, NULL, body, strlen(body)));
}

/* --- processes that die --- */

/* This process's, and one more: which this process itself must not have, as its threads look there. */
static char **environment_with(char *variable)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **made = calloc(count + 2, sizeof(*made));
    assert_non_null(made);
    memcpy(made, environ, count * sizeof(*made));
    made[count] = variable;
    return made;
}

void run_until_crash(const char *crash_at, const char *const *arguments)
{
    enum { ARGUMENTS_MAX = 8 };
    static char self[] = "child";
    char *argv[ARGUMENTS_MAX + 2] = {self};
    for (size_t i = 0; arguments[i] && i < ARGUMENTS_MAX; i++)
        argv[i + 1] = (char *)(uintptr_t)arguments[i];
    char variable[64];
    assert_in_range(snprintf(variable, sizeof(variable), "CRASH_AT=%s", crash_at), 1,
                    sizeof(variable) - 1);
    _cleanup_(free) char **environment = environment_with(variable);
    pid_t pid = -1;
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environment), 0);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("%s: the process ended with status %#x", crash_at, (unsigned)status);
}

void await_place(int64_t sequence)
{
    char statement[96];
    snprintf(statement, sizeof(statement),
             "SELECT count(*) FROM inbox_places WHERE last_sequence = %lld", (long long)sequence);
    await_rows(statement, 1);
}
