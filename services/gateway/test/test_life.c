/* Routes that change under load, and a gateway that stops under load. */
#include "edge.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/macros.h>
#include <conc/ctx.h>
#include <conc/wait.h>

#define OUT     65536
#define GET     "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define LAST    "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
#define CLIENTS 8

/* --- load --- */

struct load {
    struct edge *edge;
    pthread_t threads[CLIENTS];
    atomic_int answered, wrong, broken;
    atomic_bool is_over;
    bool is_draining; /* a connection that is refused is the end, and no mistake */
};

static bool is_closing(const char *answer)
{
    return strstr(answer, "\r\nConnection: close\r\n") != NULL;
}

/* Reads an answer; false when the connection ended instead. */
static bool try_answer(int fd, char *out, size_t cap)
{
    size_t len = 0;
    while (!strstr(out, "\r\n\r\nok") && len < cap - 1) {
        ssize_t got = recv(fd, out + len, cap - 1 - len, 0);
        if (got <= 0)
            return false;
        len += (size_t)got;
        out[len] = '\0';
        if (len > 12 && status_of(out) != 200)
            return true;
    }
    return true;
}

static int try_connect(struct load *load)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)load->edge->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval wait = {.tv_sec = WAIT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Every other request on a connection of its own. */
static void *send_requests(void *data)
{
    struct load *load = data;
    int fd = -1;
    for (int i = 0; !atomic_load(&load->is_over); i++) {
        char got[4096] = "";
        if (fd < 0)
            fd = try_connect(load);
        if (fd < 0) {
            if (!load->is_draining)
                atomic_fetch_add(&load->broken, 1);
            break;
        }
        const char *request = i % 4 == 3 ? LAST : GET;
        bool is_answered =
            client_send(fd, request, strlen(request)) && try_answer(fd, got, sizeof(got));
        if (!is_answered)
            atomic_fetch_add(&load->broken, 1);
        else if (status_of(got) != 200)
            atomic_fetch_add(&load->wrong, 1);
        else
            atomic_fetch_add(&load->answered, 1);
        if (!is_answered || is_closing(got)) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

static void load_start(struct load *load, struct edge *edge)
{
    load->edge = edge;
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&load->threads[i], NULL, send_requests, load), 0);
}

static void load_await(struct load *load, int answers)
{
    int64_t until_ms = clock_mono_ms() + WAIT_S * 1000;
    while (atomic_load(&load->answered) < answers && clock_mono_ms() < until_ms)
        err_free(ctx_sleep(NULL, 1));
    assert_true(atomic_load(&load->answered) >= answers);
}

static void load_stop(struct load *load)
{
    atomic_store(&load->is_over, true);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(load->threads[i], NULL);
}

/* --- routes --- */

static void write_routes(struct edge *edge, int port, const char *path)
{
    char json[512];
    snprintf(json, sizeof(json),
             "{\"upstreams\":{\"u%d\":{\"servers\":[\"localhost:%d\"],\"max_connections\":64}},"
             "\"routes\":[{\"path\":\"%s\",\"upstream\":\"u%d\"}]}",
             port, port, path, port);
    edge_write_routes(edge, json);
}

static void await_status(struct edge *edge, const char *request, int status)
{
    char got[OUT];
    int64_t until_ms = clock_mono_ms() + WAIT_S * 1000;
    do
        client_call(edge, request, got, sizeof(got));
    while (status_of(got) != status && clock_mono_ms() < until_ms);
    assert_int_equal(status_of(got), status);
}

static void routes_change_without_losing_a_request(void **state)
{
    (void)state;
    struct edge *edge =
        edge_start(&(struct edge_options){.workers = 2, .upstream = ",\"max_connections\":64"});
    struct origin *other = origin_start(0);
    struct load load = {0};
    load_start(&load, edge);
    for (int i = 0; i < 6; i++) {
        /* Each change also adds a path, which tells when it holds. */
        char probe[64], path[16];
        snprintf(path, sizeof(path), "/%d", i);
        snprintf(probe, sizeof(probe), "GET /%d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                 i);
        char json[512];
        snprintf(json, sizeof(json),
                 "{\"upstreams\":{\"%s\":{\"servers\":[\"localhost:%d\"],\"max_connections\":64}},"
                 "\"routes\":[{\"path\":\"/a\",\"upstream\":\"%s\"},"
                 "{\"path\":\"%s\",\"upstream\":\"%s\"}]}",
                 i % 2 ? "x" : "y", i % 3 ? other->port : edge->origin->port, i % 2 ? "x" : "y",
                 path, i % 2 ? "x" : "y");
        edge_write_routes(edge, json);
        for (int worker = 0; worker < 6; worker++) /* whichever worker it meets */
            await_status(edge, probe, 200);
        load_await(&load, atomic_load(&load.answered) + 100);
    }
    load_stop(&load);
    assert_int_equal(atomic_load(&load.wrong), 0);
    assert_int_equal(atomic_load(&load.broken), 0);
    assert_true(origin_count(other, &other->requests) > 0);
    origin_stop(other);
    edge_stop(edge);
}

static void a_broken_file_changes_nothing(void **state)
{
    (void)state;
    static const char *const broken[] = {"", "{", "{\"routes\":[]}",
                                         "{\"upstreams\":{},\"routes\":[{\"path\":\"x\"}]}"};
    struct edge *edge = edge_start(&(struct edge_options){0});
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        edge_await(edge, "gateway_routes_last_reload_successful", 1);
        edge_write_routes(edge, broken[i]);
        edge_await(edge, "gateway_routes_last_reload_successful", 0);
        await_status(edge, LAST, 200);
        write_routes(edge, edge->origin->port, "/");
    }
    edge_await(edge, "gateway_routes_last_reload_successful", 1);
    assert_int_equal(unlink(edge->file), 0);
    edge_await(edge, "gateway_routes_last_reload_successful", 0);
    await_status(edge, LAST, 200);
    write_routes(edge, edge->origin->port, "/b");
    await_status(edge, LAST, 404);
    await_status(edge, "GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200);
    edge_stop(edge);
}

/* How the kubelet updates a mounted ConfigMap: the file is a link into a directory that is a link. */
static void a_swapped_link_is_noticed(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    char path[4][160], json[512];
    static const char *const names[] = {"v1", "v2", "..data", "..tmp"};
    for (size_t i = 0; i < 4; i++)
        snprintf(path[i], sizeof(path[i]), "%s/%s", edge->directory, names[i]);
    for (size_t i = 0; i < 2; i++) {
        char file[1024];
        snprintf(file, sizeof(file), "%s/routes.json", path[i]);
        assert_int_equal(mkdir(path[i], 0700), 0);
        snprintf(json, sizeof(json),
                 "{\"upstreams\":{\"u\":{\"servers\":[\"127.0.0.1:%d\"]}},"
                 "\"routes\":[{\"path\":\"/%s\",\"upstream\":\"u\"}]}",
                 edge->origin->port, names[i]);
        FILE *out = fopen(file, "w");
        fputs(json, out);
        fclose(out);
    }
    assert_int_equal(symlink("v1", path[2]), 0);
    assert_int_equal(unlink(edge->file), 0);
    assert_int_equal(symlink("..data/routes.json", edge->file), 0);
    await_status(edge, "GET /v1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200);
    assert_int_equal(symlink("v2", path[3]), 0);
    assert_int_equal(rename(path[3], path[2]), 0);
    await_status(edge, "GET /v2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200);
    unlink(path[2]);
    for (size_t i = 0; i < 2; i++) {
        char file[1024];
        snprintf(file, sizeof(file), "%s/routes.json", path[i]);
        unlink(file);
        rmdir(path[i]);
    }
    edge_stop(edge);
}

/* --- the end --- */

static void a_drain_loses_nothing(void **state)
{
    (void)state;
    struct edge *edge =
        edge_start(&(struct edge_options){.workers = 2, .upstream = ",\"max_connections\":64"});
    struct load load = {.is_draining = true};
    load_start(&load, edge);
    load_await(&load, 200);
    gateway_lame_duck(edge->gateway);
    load_await(&load, atomic_load(&load.answered) + 200);
    gateway_drain(edge->gateway, WAIT_S * 1000);
    load_stop(&load);
    assert_int_equal(atomic_load(&load.wrong), 0);
    /* At most those that the kernel had accepted in the moment of closing, one for each worker. */
    assert_in_range(atomic_load(&load.broken), 0, 2);
    edge_stop(edge);
}

static void a_lame_duck_says_close(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    char got[OUT];
    int fd = client_connect(edge);
    client_say(fd, GET);
    client_read_answer(fd, got, sizeof(got));
    assert_false(is_closing(got));
    gateway_lame_duck(edge->gateway);
    int64_t until_ms = clock_mono_ms() + WAIT_S * 1000;
    do { /* the worker is told by a message */
        client_call(edge, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", got, sizeof(got));
    } while (!is_closing(got) && clock_mono_ms() < until_ms);
    size_t len;
    client_say(fd, GET);
    assert_int_equal(client_read_all(fd, got, sizeof(got), &len), END_EOF);
    assert_int_equal(status_of(got), 200);
    assert_true(is_closing(got));
    close(fd);
    edge_stop(edge);
}

static void *drain_it(void *data)
{
    gateway_drain(data, WAIT_S * 1000);
    return NULL;
}

static void requests_in_flight_finish(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    char got[OUT];
    size_t len;
    /* An upload whose end is sent while the gateway drains. */
    int fd = client_connect(edge);
    client_say(fd, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
    edge_await(edge, "gateway_upstream_connections", 1);
    pthread_t drain;
    assert_int_equal(pthread_create(&drain, NULL, drain_it, edge->gateway), 0);
    while (true) { /* until nobody listens any more */
        struct load probe = {.edge = edge};
        int other = try_connect(&probe);
        if (other < 0)
            break;
        close(other);
    }
    client_say(fd, "lo");
    assert_int_equal(client_read_all(fd, got, sizeof(got), &len), END_EOF);
    assert_int_equal(status_of(got), 200);
    assert_true(is_closing(got));
    close(fd);
    pthread_join(drain, NULL);
    edge_stop(edge);
}

static void what_takes_too_long_is_broken_off(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){.workers = 2});
    char got[OUT];
    size_t len;
    origin_play(edge->origin, (struct script){"", 0, HANG, WHOLE});
    int waits = client_connect(edge), idles = client_connect(edge), speaks = client_connect(edge);
    client_say(waits, GET);
    client_say(speaks, "GET /a HT");
    origin_await(edge->origin, &edge->origin->requests, 1);
    gateway_drain(edge->gateway, 50);
    assert_int_equal(client_read_all(waits, got, sizeof(got), &len), END_RESET);
    client_read_all(idles, got, sizeof(got), &len);
    assert_int_equal(len, 0);
    client_read_all(speaks, got, sizeof(got), &len);
    assert_int_equal(len, 0);
    close(waits);
    close(idles);
    close(speaks);
    origin_await(edge->origin, &edge->origin->open, 0);
    edge_stop(edge);
}

static void it_does_not_start_on_what_is_wrong(void **state)
{
    (void)state;
    struct gateway *gateway = NULL;
    char missing[] = "/nowhere/routes.json";
    struct gateway_settings settings = {.workers = 1, .max_connections = 10};
    struct gateway_options options = {.settings = &settings, .listen_addr = "192.0.2.1:0"};
    _cleanup_(err_free) struct err *address = gateway_new(&options, &gateway);
    assert_non_null(address);
    settings.routes_file = missing;
    options.listen_addr = "127.0.0.1:0";
    _cleanup_(err_free) struct err *routes = gateway_new(&options, &gateway);
    assert_true(err_is(routes, &CFG_INVALID));
    assert_null(gateway);
}

static void one_worker_for_each_core(void **state)
{
    (void)state;
    struct gateway *gateway = NULL;
    struct gateway_settings settings = {.workers = 0, .max_connections = 1};
    struct gateway_options options = {.settings = &settings, .listen_addr = ":0"};
    assert_null(gateway_new(&options, &gateway));
    assert_non_null(strstr(gateway_address(gateway), "]:"));
    gateway_free(gateway);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_change_without_losing_a_request),
        cmocka_unit_test(a_broken_file_changes_nothing),
        cmocka_unit_test(a_swapped_link_is_noticed),
        cmocka_unit_test(a_drain_loses_nothing),
        cmocka_unit_test(a_lame_duck_says_close),
        cmocka_unit_test(requests_in_flight_finish),
        cmocka_unit_test(what_takes_too_long_is_broken_off),
        cmocka_unit_test(it_does_not_start_on_what_is_wrong),
        cmocka_unit_test(one_worker_for_each_core),
    };
    return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
