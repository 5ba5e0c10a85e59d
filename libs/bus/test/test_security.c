/* Who is let in: passwords, credentials files, certificates of either side. */
#include "bus_test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static char directory[] = "/tmp/plankton-bus-XXXXXX";
static struct nats_server guarded;

/* A file in the directory of the test. */
static const char *path_of(const char *name)
{
    static char paths[8][64];
    static size_t next;
    char *path = paths[next++ % ARRAY_LEN(paths)];
    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static void run(const char *command)
{
    char line[1024];
    snprintf(line, sizeof(line), "cd %s && { %s; } >>log 2>&1", directory, command);
    if (system(line) != 0)
        fail_msg("failed: %s", line);
}

static void make_certificate(const char *name, const char *options)
{
    char command[512];
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-subj /CN=%s -keyout %s.key -out %s.crt %s",
             name, name, name, options);
    run(command);
}

static int set_up_files(void **state)
{
    start_server(state); /* and the log */
    nats_server_stop(&server);
    assert_non_null(mkdtemp(directory));
    make_certificate("ca", "");
    make_certificate("other", "");
    make_certificate("server", "-CA ca.crt -CAkey ca.key -addext subjectAltName=DNS:localhost");
    make_certificate("client", "-CA ca.crt -CAkey ca.key");
    make_certificate("stranger", "-CA other.crt -CAkey other.key");
    return 0;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *place)
{
    (void)stat;
    (void)type;
    (void)place;
    return remove(path);
}

static int remove_files(void **state)
{
    (void)state;
    return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Each @ stands for the directory. */
static void start_guarded(const char *config)
{
    FILE *file = fopen(path_of("server.conf"), "we");
    assert_non_null(file);
    for (const char *at = config; *at; at++) {
        if (*at == '@')
            fputs(directory, file);
        else
            fputc(*at, file);
    }
    fclose(file);
    nats_server_start_with(&guarded, path_of("server.conf"));
}

static int stop_guarded(void **state)
{
    (void)state;
    nats_server_stop(&guarded);
    return 0;
}

/* Tried at least once. */
static bool is_let_in(const struct bus_options *options)
{
    struct bus *bus = open_bus_with(options);
    bool is_tried = false;
    while (!is_tried && !bus_is_connected(bus)) {
        pthread_mutex_lock(&bus->lock);
        is_tried = strcmp(bus->reason, "not yet connected") != 0;
        pthread_mutex_unlock(&bus->lock);
        err_free(ctx_sleep(NULL, 2));
    }
    bool is_connected = bus_is_connected(bus);
    if (is_connected)
        expect_ok(bus_ensure_stream(
            bus, NULL, &(struct bus_stream){.name = "THINGS", .subjects = "things.v1.>"}));
    bus_close(bus);
    return is_connected;
}

struct row {
    const char *name, *url; /* without the port */
    const char *ca, *client, *creds;
    bool is_let_in;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        char url[128];
        char key[64] = "";
        char certificate[64] = "";
        snprintf(url, sizeof(url), "%s:%d", row->url, guarded.port);
        if (row->client) {
            snprintf(certificate, sizeof(certificate), "%s/%s.crt", directory, row->client);
            snprintf(key, sizeof(key), "%s/%s.key", directory, row->client);
        }
        const struct bus_options options = {
            .url = url,
            .name = "t",
            .ca_file = row->ca ? path_of(row->ca) : NULL,
            .creds_file = row->creds ? path_of(row->creds) : NULL,
            .cert_file = certificate,
            .key_file = key,
        };
        CHECK_INT(row->name, is_let_in(&options), row->is_let_in);
    }
}

static void test_passwords(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"the password", "nats://things:secret@127.0.0.1", .is_let_in = true},
        {"another password", "nats://things:guess@127.0.0.1", .is_let_in = false},
        {"another user", "nats://others:secret@127.0.0.1", .is_let_in = false},
        {"nobody", "nats://127.0.0.1", .is_let_in = false},
    };
    start_guarded("authorization { users = [ { user: things, password: secret } ] }\n");
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_credentials(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"the file", "nats://127.0.0.1", .creds = "things.creds", .is_let_in = true},
        {"of an unknown account", "nats://127.0.0.1", .creds = "stranger.creds"},
        {"a file without any", "nats://127.0.0.1", .creds = "server.conf"},
        {"no file", "nats://127.0.0.1", .is_let_in = false},
    };
    char command[256];
    snprintf(command, sizeof(command), "python3 %s .", getenv("NATS_JWT"));
    run(command);
    nats_server_start_with(&guarded, path_of("server.conf"));
    check_rows(rows, ARRAY_LEN(rows));
}

#define TLS "cert_file: \"@/server.crt\", key_file: \"@/server.key\""

static void test_certificate_of_the_server(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"by the CA", "tls://localhost", .ca = "ca.crt", .is_let_in = true},
        {"by the CA, asked for by it alone", "nats://localhost", .ca = "ca.crt", .is_let_in = true},
        {"by another CA", "tls://localhost", .ca = "other.crt"},
        {"by none of the system's", "tls://localhost", .is_let_in = false},
        {"for another host", "tls://127.0.0.1", .ca = "ca.crt"},
        {"a CA file that is not there", "tls://localhost", .ca = "nothing.crt"},
    };
    start_guarded("tls { " TLS " }\n");
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_certificate_of_the_client(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"by the CA", "tls://localhost", .ca = "ca.crt", .client = "client", .is_let_in = true},
        {"by another CA", "tls://localhost", .ca = "ca.crt", .client = "stranger"},
        {"none", "tls://localhost", .ca = "ca.crt"},
        {"one that is not there", "tls://localhost", .ca = "ca.crt", .client = "nobody"},
    };
    start_guarded("tls { " TLS ", ca_file: \"@/ca.crt\", verify: true }\n");
    check_rows(rows, ARRAY_LEN(rows));
}

/* Who says TLS does not go on without. */
static void test_no_tls_where_it_is_asked_for(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"tls://", "tls://localhost", .ca = "ca.crt"},
        {"a CA", "nats://localhost", .ca = "ca.crt"},
        {"neither", "nats://localhost", .is_let_in = true},
    };
    start_guarded("");
    check_rows(rows, ARRAY_LEN(rows));
}

#define CASE(test) cmocka_unit_test_teardown(test, stop_guarded)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_passwords),
        CASE(test_credentials),
        CASE(test_certificate_of_the_server),
        CASE(test_certificate_of_the_client),
        CASE(test_no_tls_where_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, set_up_files, remove_files);
}
