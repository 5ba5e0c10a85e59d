#include "event_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>
#include <slog/slog.h>

extern const struct sql_migrations event_test_migrations;

struct nats_server server;
struct test_database database;
struct bus *bus;

static const struct bus_stream stream = {.name = "THINGS", .subjects = "things.v1.events.>"};

int start_server(void **state)
{
    (void)state;
    slog_init(
        &(struct slog_options){.service = "test", .fd = open(getenv("TEST_LOG") ? getenv("TEST_LOG") : "/dev/null", O_WRONLY | O_CLOEXEC)});
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

struct outbox *start_outbox(struct sql_db *db, struct bus *a_bus, const char *source)
{
    struct outbox *outbox = NULL;
    expect_ok(
        outbox_start(&(struct outbox_options){.db = db, .bus = a_bus, .source = source}, &outbox));
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
