/* examples/notes.c as the program that it is, on SQLite and a real nats-server. NOTES is its path. */
#include "child.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/str.h>
#include <nats_server.h>

#define PATIENCE_MS 20000

static struct nats_server server;
static struct child notes;
static char database_path[64], database[128], nats[128];

static int start_notes(void **state)
{
    (void)state;
    nats_server_start(&server);
    str_copy(database_path, sizeof(database_path), "/tmp/plankton-notes-XXXXXX");
    assert_non_null(mkdtemp(database_path));
    snprintf(database, sizeof(database), "DATABASE_URL=sqlite:%s/notes.db", database_path);
    snprintf(nats, sizeof(nats), "NATS_URL=%s", server.url);
    assert_non_null(getenv("NOTES"));
    child_execute(&notes, getenv("NOTES"), NULL, ENV(database, nats));
    child_await_listening(&notes);
    await_status(notes.admin, "/readyz", 200);
    return 0;
}

static int stop_notes(void **state)
{
    (void)state;
    child_stop(&notes);
    nats_server_stop(&server);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", database_path);
    return system(command);
}

static void post(const char *body, struct http_answer *out)
{
    _cleanup_(http_client_free) struct http_client *client = NULL;
    assert_null(http_client_new(NULL, &client));
    char url[128];
    snprintf(url, sizeof(url), "http://%s/api/v1/notes", notes.address);
    assert_null(http_client_call(
        client, NULL,
        &(struct http_request){.method = POST, .url = url, .body = body, .body_len = strlen(body)},
        out));
}

static struct err *keep_event(const struct bus_event *event)
{
    int *pipe_end = event->state;
    assert_int_equal(write(*pipe_end, event->bytes, event->len), event->len);
    return NULL;
}

/* The first event of the stream. */
static void receive_event(char *out, size_t size)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    {
        _cleanup_(bus_close) struct bus *bus = NULL;
        assert_null(bus_open(&(struct bus_options){.url = server.url, .name = "test"}, &bus));
        _cleanup_(bus_consumer_stop) struct bus_consumer *consumer = NULL;
        assert_null(bus_consume(
            bus,
            &(struct bus_consumer_options){.stream = "NOTES", .filter = "notes.v1.events.created"},
            keep_event, &ends[1], &consumer));
        ssize_t len = read(ends[0], out, size - 1);
        assert_true(len > 0);
        out[len] = '\0';
    }
    close(ends[0]);
    close(ends[1]);
}

static void test_a_note_is_kept_and_told_of(void **state)
{
    (void)state;
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    post("{\"text\":\"buy milk\"}", &answer);
    assert_int_equal(answer.status, 201);
    const char *location = http_answer_header(&answer, "Location");
    assert_non_null(location);
    assert_int_equal(strncmp(location, "/api/v1/notes/", 14), 0);
    assert_non_null(strstr(answer.body, "\"text\":\"buy milk\""));

    char read[1024], event[1024];
    assert_int_equal(ask(notes.address, location, read, sizeof(read)), 200);
    assert_string_equal(read, answer.body);
    char list[2048];
    snprintf(list, sizeof(list), "{\"items\":[%s],\"next_cursor\":null}", answer.body);
    assert_int_equal(ask(notes.address, "/api/v1/notes?sort=-created_at", read, sizeof(read)), 200);
    assert_string_equal(read, list);
    assert_int_equal(
        ask(notes.address, "/api/v1/notes?created_after=2999-01-01T00:00:00Z", read, sizeof(read)),
        200);
    assert_string_equal(read, "{\"items\":[],\"next_cursor\":null}");
    assert_int_equal(ask(notes.address, "/api/v1/notes?sort=text", read, sizeof(read)), 422);
    receive_event(event, sizeof(event));
    assert_string_equal(event, answer.body);
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *name, *body, *code;
        int status;
    } rows[] = {
        {"no text", "{}", "invalid_request", 422},
        {"empty text", "{\"text\":\"\"}", "invalid_request", 422},
        {"unknown field", "{\"text\":\"a\",\"colour\":1}", "invalid_request", 422},
        {"no JSON", "{", "malformed_json", 400},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        post(rows[i].body, &answer);
        CHECK_INT(rows[i].name, answer.status, rows[i].status);
        char code[64];
        snprintf(code, sizeof(code), "\"code\":\"%s\"", rows[i].code);
        CHECK(rows[i].name, strstr(answer.body, code));
    }
    char body[1024];
    assert_int_equal(ask(notes.address, "/api/v1/notes/none", body, sizeof(body)), 404);
    assert_non_null(strstr(body, "\"code\":\"note_not_found\""));
    assert_non_null(strstr(body, "there is no note none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_note_is_kept_and_told_of),
        cmocka_unit_test(test_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, start_notes, stop_notes);
}
