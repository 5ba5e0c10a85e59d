/* What the client accepts as the server that it was told to call. */
#include "check.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/macros.h>
#include <http/client.h>

#include "certs.h"

/* --- a server with TLS that gives one answer to each request --- */

struct server {
    SSL_CTX *context; /* NULL: it speaks no TLS */
    const char *answer;
    bool is_rude; /* ends the connection without a word of TLS */
    int listener, port;
    pthread_t thread;
};

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static void serve_tls(const struct server *server, int fd)
{
    SSL *ssl = SSL_new(server->context);
    char request[4096];
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        while (SSL_read(ssl, request, sizeof(request)) > 0) {
            SSL_write(ssl, server->answer, (int)strlen(server->answer));
            if (strstr(server->answer, "Content-Length"))
                continue;
            if (!server->is_rude)
                SSL_shutdown(ssl);
            break;
        }
    }
    SSL_free(ssl);
}

static void *run(void *data)
{
    struct server *server = data;
    for (int fd; (fd = accept(server->listener, NULL, NULL)) >= 0; close(fd)) {
        if (server->context)
            serve_tls(server, fd);
        else
            send(fd, ANSWER, sizeof(ANSWER) - 1, MSG_NOSIGNAL);
    }
    return NULL;
}

static void start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, run, server), 0);
}

static void stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    SSL_CTX_free(server->context);
}

static struct err *call(struct http_client *client, const char *host, int port,
                        struct http_answer *out)
{
    char url[128];
    snprintf(url, sizeof(url), "https://%s:%d/", host, port);
    const struct http_request request = {.method = GET, .url = url};
    return http_client_call(client, NULL, &request, out);
}

/* --- tests --- */

static const struct certs_name good = {"DNS:localhost,IP:127.0.0.1", -1, 1};

static void test_certificates(void **state)
{
    struct certs *certs = *state;
    static const struct {
        const char *name, *host;
        struct certs_name cert;
        const char *detail; /* NULL: accepted */
    } rows[] = {
        {"name", "localhost", {"DNS:localhost", -1, 1}, NULL},
        {"address", "127.0.0.1", {"IP:127.0.0.1", -1, 1}, NULL},
        {"wrong name", "localhost", {"DNS:example.com", -1, 1}, "hostname mismatch"},
        {"wrong address", "127.0.0.1", {"IP:127.0.0.2", -1, 1}, "IP address mismatch"},
        {"an address is no name", "127.0.0.1", {"DNS:127.0.0.1", -1, 1}, "IP address mismatch"},
        {"the wildcard of a part", "localhost", {"DNS:local*", -1, 1}, "hostname mismatch"},
        {"expired", "localhost", {"DNS:localhost", -3, -1}, "certificate has expired"},
        {"not yet valid", "localhost", {"DNS:localhost", 1, 3}, "not yet valid"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        _cleanup_(http_client_free) struct http_client *client = NULL;
        struct server server = {.context = certs_server(certs, &rows[i].cert), .answer = ANSWER};
        start(&server);
        assert_null(
            http_client_new(&(struct http_client_options){.ca_file = certs->ca_file}, &client));
        _cleanup_(err_free) struct err *e = call(client, rows[i].host, server.port, &answer);
        if (rows[i].detail) {
            CHECK(rows[i].name, err_kind(e) == &ERR_UPSTREAM_UNAVAILABLE);
            if (!strstr(err_detail(e), rows[i].detail))
                fail_msg("%s: %s", rows[i].name, err_detail(e));
        } else {
            CHECK(rows[i].name, !e);
            CHECK_STR(rows[i].name, answer.body, "hello");
        }
        http_client_free(TAKE(client));
        stop(&server);
    }
}

static void test_untrusted(void **state)
{
    struct certs *certs = *state, others;
    certs_init(&others);
    const struct {
        const char *name, *ca_file, *detail;
    } rows[] = {{"of another authority", others.ca_file, "certificate signature failure"},
                {"not of the system's", NULL, "unable to get local issuer certificate"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        _cleanup_(http_client_free) struct http_client *client = NULL;
        struct server server = {.context = certs_server(certs, &good), .answer = ANSWER};
        start(&server);
        assert_null(
            http_client_new(&(struct http_client_options){.ca_file = rows[i].ca_file}, &client));
        _cleanup_(err_free) struct err *e = call(client, "localhost", server.port, &answer);
        CHECK(rows[i].name, err_kind(e) == &ERR_UPSTREAM_UNAVAILABLE);
        CHECK(rows[i].name, strstr(err_detail(e), rows[i].detail));
        stop(&server);
    }
    certs_deinit(&others);
}

static void test_no_authorities(void **state)
{
    (void)state;
    _cleanup_(http_client_free) struct http_client *client = NULL;
    struct http_answer answer = {0};
    assert_null(
        http_client_new(&(struct http_client_options){.ca_file = "/nowhere/ca.pem"}, &client));
    _cleanup_(err_free) struct err *e = call(client, "localhost", 1, &answer);
    assert_ptr_equal(err_kind(e), &ERR_INTERNAL);
    assert_non_null(strstr(err_detail(e), "/nowhere/ca.pem"));
}

static void test_other_servers(void **state)
{
    struct certs *certs = *state;
    SSL_CTX *old = certs_server(certs, &good);
    SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(old, "DEFAULT@SECLEVEL=0");
    struct server servers[] = {
        {.context = NULL},
        {.context = old, .answer = ANSWER},
        {.context = certs_server(certs, &good),
         .answer = "HTTP/1.1 200 OK\r\n\r\nhel",
         .is_rude = true},
    };
    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        _cleanup_(http_client_free) struct http_client *client = NULL;
        struct http_answer answer = {0};
        start(&servers[i]);
        assert_null(
            http_client_new(&(struct http_client_options){.ca_file = certs->ca_file}, &client));
        _cleanup_(err_free) struct err *e = call(client, "localhost", servers[i].port, &answer);
        assert_ptr_equal(err_kind(e), &ERR_UPSTREAM_UNAVAILABLE);
        assert_int_equal(answer.status, 0);
        stop(&servers[i]);
    }
}

static void test_kept_and_ended(void **state)
{
    struct certs *certs = *state;
    static const char *const answers[] = {ANSWER, "HTTP/1.1 200 OK\r\n\r\nhello"};
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        _cleanup_(http_client_free) struct http_client *client = NULL;
        struct server server = {.context = certs_server(certs, &good), .answer = answers[i]};
        start(&server);
        assert_null(
            http_client_new(&(struct http_client_options){.ca_file = certs->ca_file}, &client));
        for (int n = 0; n < 3; n++) {
            _cleanup_(http_answer_deinit) struct http_answer answer = {0};
            assert_null(call(client, "localhost", server.port, &answer));
            assert_string_equal(answer.body, "hello");
        }
        http_client_free(TAKE(client));
        stop(&server);
    }
}

/* The handshake waits within the ctx, too. */
static void test_handshake_timeout(void **state)
{
    struct certs *certs = *state;
    _cleanup_(http_client_free) struct http_client *client = NULL;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    struct http_answer answer = {0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* listens, but no one is there */
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_null(http_client_new(
        &(struct http_client_options){.ca_file = certs->ca_file, .timeout_ms = 100}, &client));
    _cleanup_(err_free) struct err *e = call(client, "localhost", ntohs(address.sin_port), &answer);
    assert_ptr_equal(err_kind(e), &ERR_UPSTREAM_TIMEOUT);
    close(fd);
}

static int set_up(void **state)
{
    static struct certs certs;
    signal(SIGPIPE, SIG_IGN);
    certs_init(&certs);
    *state = &certs;
    return 0;
}

static int tear_down(void **state)
{
    certs_deinit(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificates),   cmocka_unit_test(test_untrusted),
        cmocka_unit_test(test_no_authorities), cmocka_unit_test(test_other_servers),
        cmocka_unit_test(test_kept_and_ended), cmocka_unit_test(test_handshake_timeout),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
