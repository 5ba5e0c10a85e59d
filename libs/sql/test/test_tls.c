/* TLS between the library and PostgreSQL, and who is let in: certificates of a CA of the test. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sql_test.h"

static int port, server;

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* In the directory of the server, whose user owns the keys. */
static void openssl(const char *name, const char *subject, const char *options)
{
    char command[1024];
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-subj /CN=%s -keyout %s/pg/%s.key -out %s/pg/%s.crt %s 2>>%s/pg/openssl.log",
             subject, test_directory(), name, test_directory(), name, options, test_directory());
    assert_int_equal(await_exit(spawn_as_owner(command)), 0);
}

static void make_certificates(void)
{
    char options[512];
    openssl("ca", "a-test-ca", "");
    openssl("other", "another-ca", "");
    snprintf(options, sizeof(options), "-CA %s/pg/ca.crt -CAkey %s/pg/ca.key", test_directory(),
             test_directory());
    openssl("client", "carla", options);
    snprintf(options, sizeof(options),
             "-CA %s/pg/ca.crt -CAkey %s/pg/ca.key -addext subjectAltName=DNS:localhost",
             test_directory(), test_directory());
    openssl("server", "localhost", options);
}

static void write_rules(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/hba.conf", test_directory());
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("local all all trust\n"
          "hostssl all carla 127.0.0.1/32 cert\n"
          "hostssl all paul 127.0.0.1/32 scram-sha-256\n"
          "host all open 127.0.0.1/32 trust\n",
          file);
    fclose(file);
    assert_int_equal(chmod(path, 0644), 0);
}

/* Past the rules for who comes by the network. */
static struct sql_db *open_as_admin(void)
{
    char url[URL_MAX];
    struct sql_db *db = NULL;
    snprintf(url, sizeof(url), "postgres://plankton@/postgres?host=%s/pg&port=%d", test_directory(),
             port);
    OK(sql_open(&(struct sql_options){.url = url}, &db));
    return db;
}

static void start_server(void)
{
    char options[640];
    postgres_admin("CREATE ROLE open LOGIN");
    postgres_admin("CREATE ROLE carla LOGIN");
    postgres_admin("CREATE ROLE paul LOGIN PASSWORD 'hunter2'");
    postgres_copy("secure", false);
    port = free_port();
    snprintf(options, sizeof(options),
             "-c listen_addresses=127.0.0.1 -c port=%d -c ssl=on -c hba_file=%s/hba.conf "
             "-c ssl_cert_file=%s/pg/server.crt -c ssl_key_file=%s/pg/server.key "
             "-c ssl_ca_file=%s/pg/ca.crt",
             port, test_directory(), test_directory(), test_directory(), test_directory());
    server = postgres_spawn("secure", options);
    _cleanup_(sql_close) struct sql_db *db = open_as_admin();
    await_database(db);
}

/* "%" in a parameter: the directory of the certificates. */
static void make_url(const char *user, const char *host, const char *parameters,
                     char out[static URL_MAX])
{
    int length = snprintf(out, URL_MAX, "postgres://%s@%s:%d/postgres?", user, host, port);
    for (; *parameters && length < URL_MAX; parameters++)
        length +=
            *parameters == '%'
                ? snprintf(out + length, (size_t)(URL_MAX - length), "%s/pg", test_directory())
                : snprintf(out + length, (size_t)(URL_MAX - length), "%c", *parameters);
    assert_in_range(length, 1, URL_MAX - 1);
}

/* As when it is rotated: what is connected goes on, and is waited for. */
static void expect_to_stay_when_the_password_changes(void)
{
    char url[URL_MAX], line[ERR_LINE];
    _cleanup_(sql_close) struct sql_db *admin = open_as_admin(), *db = NULL;
    make_url("paul:hunter2", "localhost", "sslmode=require", url);
    OK(sql_open(&(struct sql_options){.url = url, .wait_ms = 20}, &db));
    struct sql_conn *conn = acquire(db), *none = NULL;
    run_in(admin, "ALTER ROLE paul PASSWORD 'hunter4'");
    for (int i = 0; i < 2; i++) { /* found out by this one; known by then */
        struct err *e = sql_acquire(db, NULL, &none);
        err_format(e, line, sizeof(line));
        CHECK(line, strstr(line, "there are no more: ") && strstr(line, "password authentication"));
        expect(e, &ERR_OVERLOADED, line);
    }
    sql_release(conn);
    OK(sql_ping(db, NULL));
}

static void who_is_let_in(void **state)
{
    (void)state;
    enum { REFUSED, PLAIN, ENCRYPTED };
    static const struct {
        const char *name, *user, *host, *parameters;
        int expected;
        const char *told;
    } rows[] = {
        {"no TLS", "open", "127.0.0.1", "sslmode=disable", PLAIN, ""},
        {"TLS if it can be", "open", "127.0.0.1", "sslmode=prefer", ENCRYPTED, ""},
        {"any certificate", "open", "127.0.0.1", "sslmode=require", ENCRYPTED, ""},
        {"a known CA", "open", "127.0.0.1", "sslmode=verify-ca&sslrootcert=%/ca.crt", ENCRYPTED,
         ""},
        {"an unknown CA", "open", "127.0.0.1", "sslmode=verify-ca&sslrootcert=%/other.crt", REFUSED,
         "certificate verify failed"},
        {"an unknown CA, though not asked for", "open", "127.0.0.1",
         "sslmode=require&sslrootcert=%/other.crt", REFUSED, "certificate verify failed"},
        {"no CA to compare with", "open", "localhost",
         "sslmode=verify-full&sslrootcert=%/nothing.crt", REFUSED, "nothing.crt"},
        {"the right name", "open", "localhost", "sslmode=verify-full&sslrootcert=%/ca.crt",
         ENCRYPTED, ""},
        {"another name", "open", "127.0.0.1", "sslmode=verify-full&sslrootcert=%/ca.crt", REFUSED,
         "does not match host name"},
        {"the right name, an unknown CA", "open", "localhost",
         "sslmode=verify-full&sslrootcert=%/other.crt", REFUSED, "certificate verify failed"},
        {"one protocol only", "open", "127.0.0.1",
         "sslmode=require&ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.3",
         ENCRYPTED, ""},
        {"a certificate of one's own", "carla", "localhost",
         "sslmode=verify-full&sslrootcert=%/ca.crt&sslcert=%/client.crt&sslkey=%/client.key",
         ENCRYPTED, ""},
        {"none of one's own", "carla", "localhost", "sslmode=require", REFUSED, "certificate"},
        {"somebody else's", "carla", "localhost",
         "sslmode=require&sslcert=%/server.crt&sslkey=%/server.key", REFUSED,
         "authentication failed"},
        {"a password", "paul:hunter2", "localhost", "sslmode=require&channel_binding=require",
         ENCRYPTED, ""},
        {"a wrong password", "paul:hunter3", "localhost", "sslmode=require", REFUSED,
         "password authentication failed"},
        {"a password without TLS", "paul:hunter2", "localhost", "sslmode=disable", REFUSED,
         "no pg_hba.conf entry"},
    };
    make_certificates();
    write_rules();
    start_server();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char url[URL_MAX], line[ERR_LINE];
        make_url(rows[i].user, rows[i].host, rows[i].parameters, url);
        _cleanup_(sql_close) struct sql_db *db = NULL;
        expect(sql_open(&(struct sql_options){.url = url}, &db), NULL, rows[i].name);
        struct err *e = sql_ping(db, NULL);
        err_format(e, line, sizeof(line));
        if (rows[i].expected == REFUSED) {
            if (!strstr(line, rows[i].told))
                fail_msg("%s: %s", rows[i].name, line);
            CHECK(rows[i].name, !strstr(line, "hunter"));
        }
        expect(e, rows[i].expected == REFUSED ? &ERR_UPSTREAM_UNAVAILABLE : NULL, rows[i].name);
        if (rows[i].expected != REFUSED)
            CHECK_INT(rows[i].name,
                      number_in(db, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
                      rows[i].expected == ENCRYPTED);
    }
    expect_to_stay_when_the_password_changes();
    postgres_end(server);
}

int main(void)
{
    static const struct backend *const backends[] = {&postgres_backend};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_let_in),
    };
    return run_over(backends, ARRAY_LEN(backends), "TLS", tests, ARRAY_LEN(tests));
}
