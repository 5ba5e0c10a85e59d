/* The subcommands that do not serve, and wrong settings. */
#include "child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/str.h>

struct own_settings {
    int workers;
    char *api_token;
};
static const struct cfg_setting own_rows[] = {
    CFG_INT(struct own_settings, workers, "WORKERS", .def = "2", .min = 1, .max = 9,
            .help = "How many"),
    CFG_SECRET(struct own_settings, api_token, "API_TOKEN", .help = "For the other service"),
};
static const struct cfg_table own_table = CFG_TABLE("sample", own_rows);

static struct err *check(const struct app_settings *settings, const void *own_settings)
{
    const struct own_settings *own = own_settings;
    if (own->workers > settings->http_threads)
        return err_new(&CFG_INVALID, "WORKERS: must not be more than HTTP_THREADS");
    return NULL;
}

static struct err *reply(struct http_req *req, struct http_res *res)
{
    (void)req;
    return http_reply_empty(res, 204);
}

static const struct route routes[] = {
    {GET, "/things/{id}", reply, .summary = "Read a thing", .allow = SIGNED_IN},
};

static const struct sql_migration two_rows[] = {
    {.version = 1, .name = "things", .sql = "CREATE TABLE things (id TEXT PRIMARY KEY)"},
    {.version = 2, .name = "names", .sql = "ALTER TABLE things ADD COLUMN name TEXT"},
};
static const struct sql_migrations one = {two_rows, 1}, two = {two_rows, 2};

/* What it was given, and what was opened for it. */
static struct err *show(struct app_runtime *runtime, const char *const *args)
{
    printf("own:");
    for (int i = 0; i < 3; i++)
        printf(" %s", args[i] ? args[i] : "-");
    printf("; database %d, bus %d, state %d\n", runtime->db != NULL, runtime->bus != NULL,
           runtime->state != NULL);
    if (!runtime->db)
        return NULL;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(runtime->db, runtime->ctx, &conn));
    return sql_exec(conn, runtime->ctx, "SELECT name FROM things", NULL);
}

static struct err *go_wrong(struct app_runtime *runtime, const char *const *args)
{
    (void)runtime, (void)args;
    return err_new(&ERR_INTERNAL, "it went wrong");
}

static const struct app_command own[] = {
    {"show", "FROM [--fast] [TO]", "show the arguments", 0, show},
    {"count", NULL, "count the things", APP_DATABASE, show},
    {"ask", NULL, "ask the others", APP_DATABASE | APP_BUS, show},
    {"fail", NULL, "fail", 0, go_wrong},
};

struct thing {
    char id[UUID_TEXT];
};
static const struct field thing_fields[] = {FIELD(struct thing, id, UUID, .flags = REQUIRED)};
static const struct model thing_model = MODEL(struct thing, thing_fields, "A thing");

static const struct bus_method methods[] = {
    {"things.v1.get", NULL, &thing_model, &thing_model, "One thing"},
    {"things.v1.forget", NULL, NULL, NULL, NULL},
};
static const struct bus_event_type events[] = {
    {"things.v1.events.made", &thing_model, "A thing was made"},
};

static const struct app plain = {.name = "plain", .routes = ROUTES(routes)};
static const struct app full = {
    .name = "sample",
    .listen_addr = "127.0.0.1:8123",
    .database_url = "sqlite:sample.db",
    .needs = APP_DATABASE | APP_BUS | APP_VERIFIER,
    .routes = ROUTES(routes),
    .migrations = &two,
    .settings = &own_table,
    .settings_size = sizeof(struct own_settings),
    .check = check,
    .methods = methods,
    .method_count = ARRAY_LEN(methods),
    .events = events,
    .event_count = ARRAY_LEN(events),
    .commands = own,
    .command_count = ARRAY_LEN(own),
};

static char directory[DIRECTORY_TEXT];
static char database[256]; /* DATABASE_URL=...; TEST_POSTGRES where the environment has that */

static int set_up(void **state)
{
    (void)state;
    directory_make(directory);
    const char *postgres = getenv("TEST_POSTGRES");
    if (postgres)
        snprintf(database, sizeof(database), "DATABASE_URL=%s", postgres);
    else
        snprintf(database, sizeof(database), "DATABASE_URL=sqlite:%s/test.db", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return directory_remove(directory);
}

static int run(struct child *child, const struct app *app, const char *const *args,
               const char *const *env)
{
    child_start(child, app, args, env);
    return child_end(child);
}

static const struct {
    const char *name;
    const struct app *app;
    int status;
    const char *words[4]; /* argv but for its first */
    const char *env[6];
    const char *texts[6]; /* in what it prints */
} prints[] = {
    {"version", &plain, 0, {"version"}, {0}, {"plain "}},
    {"--version", &plain, 0, {"--version"}, {0}, {"plain "}},
    {"help", &plain, 0, {"help"}, {0}, {"Usage: plain", "serve", "healthcheck", "openapi"}},
    {"--help", &full, 0, {"--help"}, {0}, {"Usage: sample", "migrate", "--status"}},
    {"unknown", &plain, 2, {"bogus"}, {0}, {"Usage: plain"}},
    {"unknown option", &full, 2, {"migrate", "--bogus"}, {0}, {"Usage: sample"}},
    {"too much", &plain, 2, {"version", "--status"}, {0}, {"Usage: plain"}},
    {"nobody to ask", &plain, 1, {"healthcheck", "http://127.0.0.1:1/"}, {0}, {"127.0.0.1:1"}},
    {"no URL", &plain, 1, {"healthcheck", "bogus"}, {0}, {"bogus"}},
    {"two URLs", &plain, 2, {"healthcheck", "http://a", "http://b"}, {0}, {"Usage: plain"}},
    {"far too much", &full, 2, {"migrate", "--status", "x"}, {0}, {"Usage: sample"}},
    {"no database", &plain, 2, {"migrate"}, {0}, {"Usage: plain"}},
    {"help on own ones",
     &full,
     0,
     {"help"},
     {0},
     {"show        FROM [--fast] [TO] show the arguments", "count ", "count the things"}},
    {"own", &full, 0, {"show", "a"}, {0}, {"own: a - -; database 0, bus 0, state 0"}},
    {"own, all", &full, 0, {"show", "a", "b"}, {0}, {"own: a - b"}},
    {"own, a flag first", &full, 0, {"show", "--fast", "a"}, {0}, {"own: a --fast -"}},
    {"own, a flag last", &full, 0, {"show", "-", "--fast"}, {0}, {"own: - --fast -"}},
    {"own, too few", &full, 2, {"show"}, {0}, {"sample show: it needs \"FROM\"", "Usage: "}},
    {"own, unknown flag", &full, 2, {"show", "a", "--slow"}, {0}, {"does not take \"--slow\""}},
    {"own, half a flag", &full, 2, {"show", "a", "--fas"}, {0}, {"does not take \"--fas\""}},
    {"own, too many",
     &full,
     2,
     {"count", "a"},
     {0},
     {"does not take \"a\"\nUsage: sample count\n"}},
    {"own, wrong settings", &full, 2, {"show", "a"}, {"WORKERS=x"}, {"wrong settings", "WORKERS"}},
    {"own, failing", &full, 1, {"fail"}, {0}, {"sample: it went wrong [internal]"}},
    {"own, no database",
     &full,
     1,
     {"count"},
     {"DATABASE_URL=sqlite:/dev/null/x"},
     {"sample: ", "upstream_unavailable"}},
    {"asyncapi",
     &full,
     0,
     {"asyncapi"},
     {0},
     {"\"asyncapi\":\"3.0.0\"", "\"answer.things.v1.get\":{\"action\":\"receive\"",
      "\"publish.things.v1.events.made\":{\"action\":\"send\"",
      "\"data\":{\"$ref\":\"#/components/schemas/thing\"}", "\"schemas\":{\"thing\":{",
      "\"cloudevent\":"}},
    {"asyncapi without a bus", &plain, 2, {"asyncapi"}, {0}, {"Usage: plain"}},
    {"openapi", &plain, 0, {"openapi"}, {0}, {"\"openapi\":\"3.1.0\"", "/things/{id}"}},
    {"config",
     &full,
     0,
     {"config"},
     {"API_TOKEN=hush", "LOG_LEVEL=debug", "ADMIN_ADDR=:9099",
      "DATABASE_URL=postgres://me:hush@host/db"},
     {"LISTEN_ADDR=127.0.0.1:0 ", "ADMIN_ADDR=:9099", "environment", "API_TOKEN=***",
      "LOG_LEVEL=debug", "AUTH_JWKS_URL="}},
    {"config with mistakes",
     &full,
     2,
     {"config"},
     {"WORKERS=x"},
     {"LISTEN_ADDR=", "WORKERS=x", "must be a whole number"}},
    {"all mistakes at once",
     &full,
     2,
     {0},
     {"LISTEN_ADDR=nowhere", "WORKERS=0", "DATABASE_URL=mysql:x", "NATS_URL=http://x",
      "NATS_CREDS_FILE=/nonexistent"},
     {"wrong settings", "LISTEN_ADDR=\"nowhere\"", "WORKERS=\"0\"", "DATABASE_URL=\"***\"",
      "NATS_URL=\"http://x\"", "a file that can be read"}},
    {"a mistake between settings",
     &full,
     2,
     {"serve"},
     {"WORKERS=5", "HTTP_THREADS=4"},
     {"wrong settings", "must not be more than HTTP_THREADS"}},
    {"a certificate without its key",
     &full,
     2,
     {"serve"},
     {"NATS_CERT_FILE=/etc/hostname"},
     {"wrong settings", "NATS_CERT_FILE, NATS_KEY_FILE: both must be set"}},
    {"settings of no concern",
     &plain,
     0,
     {"openapi"},
     {"NATS_URL=bogus", "DATABASE_URL=bogus", "AUTH_JWKS_URL=bogus"},
     {"openapi"}},
    {"a database that cannot be",
     &full,
     1,
     {"migrate", "--status"},
     {"DATABASE_URL=sqlite:/dev/null/x"},
     {"sample: "}},
    {"nobody is healthy",
     &plain,
     1,
     {"healthcheck"},
     {"ADMIN_ADDR=127.0.0.1:1"},
     {"plain: ", "refused"}},
};

static void test_what_each_command_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(prints); i++) {
        const char *args[] = {"service", prints[i].words[0], prints[i].words[1], prints[i].words[2],
                              NULL};
        struct child child;
        CHECK_INT(prints[i].name, run(&child, prints[i].app, args, prints[i].env),
                  prints[i].status);
        for (size_t text = 0; text < ARRAY_LEN(prints[i].texts) && prints[i].texts[text]; text++) {
            if (!strstr(child.text, prints[i].texts[text]))
                fail_msg("%s: no \"%s\" in:\n%s", prints[i].name, prints[i].texts[text],
                         child.text);
        }
        CHECK(prints[i].name, !strstr(child.text, "hush"));
    }
}

static void test_default_of_the_app(void **state)
{
    (void)state;
    struct child child;
    assert_int_equal(run(&child, &full, ARGS("config"), ENV("LISTEN_ADDR=", "ADMIN_ADDR=")), 0);
    assert_non_null(strstr(child.text, "LISTEN_ADDR=127.0.0.1:8123"));
    assert_non_null(strstr(child.text, "ADMIN_ADDR=127.0.0.1:9090"));
}

static void test_migrate(void **state)
{
    (void)state;
    struct child child;
    assert_int_equal(run(&child, &full, ARGS("migrate", "--status"), ENV(database)), 0);
    assert_non_null(strstr(child.text, "pending"));
    for (int again = 0; again < 2; again++)
        assert_int_equal(run(&child, &full, ARGS("migrate"), ENV(database)), 0);
    assert_int_equal(run(&child, &full, ARGS("migrate", "--status"), ENV(database)), 0);
    assert_null(strstr(child.text, "pending"));
    assert_non_null(strstr(child.text, "things"));

    struct app older = full;
    older.migrations = &one;
    assert_int_equal(run(&child, &older, ARGS("migrate"), ENV(database)), 1);
    assert_non_null(strstr(child.text, "schema_newer"));
    assert_int_equal(run(&child, &older, ARGS("migrate", "--status"), ENV(database)), 0);
    assert_non_null(strstr(child.text, "unknown to this program"));

    struct app older_service = {
        .name = "older", .needs = APP_DATABASE, .routes = ROUTES(routes), .migrations = &one};
    assert_int_equal(run(&child, &older_service, ARGS("serve"), ENV(database)), 1);
    assert_non_null(strstr(child.text, "schema_newer"));
    assert_non_null(strstr(child.text, "the database is at migration 2 (names), this program knows "
                                       "1, and migration 2 (names) does not work with it: run the "
                                       "newer release"));
}

static void test_own_command_with_a_database(void **state)
{
    (void)state;
    struct child child;
    char fresh[128];
    snprintf(fresh, sizeof(fresh), "DATABASE_URL=sqlite:%s/fresh.db", directory);
    assert_int_equal(run(&child, &full, ARGS("count"), ENV(fresh)), 0);
    assert_non_null(strstr(child.text, "own: - - -; database 1, bus 0, state 0"));
    assert_int_equal(run(&child, &full, ARGS("ask"), ENV(fresh, "NATS_URL=nats://127.0.0.1:1")), 1);
    assert_non_null(strstr(child.text, "connect to NATS_URL"));
}

static void test_output_that_cannot_be_written(void **state)
{
    (void)state;
    static const char *const commands[] = {"version", "help", "config", "openapi"};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        struct child child;
        char shell[256];
        snprintf(shell, sizeof(shell), "exec '%s' --run %s >/dev/full", program_invocation_name,
                 commands[i]);
        child_execute(&child, "/bin/sh", (const char *const[]){"sh", "-c", shell, NULL}, NULL);
        CHECK_INT(commands[i], child_end(&child), 1);
        CHECK(commands[i], strstr(child.text, "standard output"));
    }
}

static void test_healthcheck(void **state)
{
    (void)state;
    struct child service;
    const struct app open = {.name = "open"};
    child_start(&service, &open, NULL, NULL);
    child_await_listening(&service);
    const char *port = strchr(service.admin, ':');
    const char *const hosts[] = {"127.0.0.1", "", "0.0.0.0"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        char address[64];
        snprintf(address, sizeof(address), "ADMIN_ADDR=%s%s", hosts[i], port);
        struct child child;
        CHECK_INT(hosts[i], run(&child, &plain, ARGS("healthcheck"), ENV(address)), 0);
        CHECK_STR(hosts[i], child.text, "plain: {\"ready\":true,\"reasons\":{}}\n");
    }
    static const struct {
        const char *path;
        int status, exit_status;
    } rows[] = {{"/livez", 200, 0}, {"/nowhere", 404, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char url[64], line[96];
        struct child child;
        snprintf(url, sizeof(url), "http://127.0.0.1%s%s", port, rows[i].path);
        snprintf(line, sizeof(line), "plain: %s: %d\n", url, rows[i].status);
        CHECK_INT(rows[i].path, run(&child, &plain, ARGS("healthcheck", url), NULL),
                  rows[i].exit_status);
        CHECK_STR(rows[i].path, child.text, line);
    }
    child_stop(&service);
}

static void test_healthcheck_of_one_that_is_not_ready(void **state)
{
    (void)state;
    char nowhere[128];
    snprintf(nowhere, sizeof(nowhere), "DATABASE_URL=sqlite:%s/later/test.db", directory);
    struct child service;
    /* The default is where an auth of ./dev up may be. */
    child_start(&service, &full, NULL, ENV(nowhere, "AUTH_JWKS_URL=http://127.0.0.1:9/"));
    child_await_admin(&service);
    char address[128];
    snprintf(address, sizeof(address), "ADMIN_ADDR=%s", service.admin);
    struct child child;
    assert_int_equal(run(&child, &full, ARGS("healthcheck"), ENV(address)), 1);
    static const char *const texts[] = {"\"ready\":false", "\"process\":\"starting",
                                        "\"database\":\"", "\"bus\":\"",
                                        "\"keys\":\"no signing keys"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        CHECK(texts[i], strstr(child.text, texts[i]));
    child_stop(&service);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--run") == 0)
        return app_run(argc - 1, argv + 1, &plain);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_each_command_prints),
        cmocka_unit_test(test_default_of_the_app),
        cmocka_unit_test(test_migrate),
        cmocka_unit_test(test_own_command_with_a_database),
        cmocka_unit_test(test_output_that_cannot_be_written),
        cmocka_unit_test(test_healthcheck),
        cmocka_unit_test(test_healthcheck_of_one_that_is_not_ready),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
