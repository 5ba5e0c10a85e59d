/* What happens at the limits: connections, queues, descriptors. */
#include "edge.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/macros.h>

#define OUT  65536
#define GET  "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
#define LAST "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

static void reset(int fd)
{
    const struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd);
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){
        .upstream = ",\"max_connections\":1,\"max_waiting\":2,\"wait_timeout_ms\":200"});
    origin_play(edge->origin, (struct script){"", 0, HANG, WHOLE});
    int fds[4];
    char got[OUT];
    for (size_t i = 0; i < 3; i++) {
        fds[i] = client_connect(edge);
        client_say(fds[i], GET);
        if (i == 0)
            origin_await(edge->origin, &edge->origin->requests, 1);
        else
            edge_await(edge, "gateway_upstream_waiting", (long)i);
    }
    fds[3] = client_connect(edge);
    client_say(fds[3], GET);
    client_read_answer(fds[3], got, sizeof(got)); /* at once: the queue is full */
    assert_int_equal(status_of(got), 503);
    assert_non_null(strstr(got, "\"overloaded\""));
    reset(fds[1]); /* one in the queue goes away */
    edge_await(edge, "gateway_upstream_waiting", 1);
    client_read_answer(fds[2], got, sizeof(got)); /* waited in vain */
    assert_int_equal(status_of(got), 503);
    reset(fds[0]); /* a mere close could be half of one: the answer would be waited for */
    close(fds[2]);
    close(fds[3]);
    edge_stop(edge);
}

static void those_who_wait_are_served_in_turn(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){.upstream = ",\"max_connections\":2"});
    int fds[50];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = client_connect(edge);
        client_say(fds[i], i % 3 ? GET : POST);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        char got[OUT];
        client_read_answer(fds[i], got, sizeof(got));
        assert_int_equal(status_of(got), 200);
        close(fds[i]);
    }
    assert_in_range(origin_count(edge->origin, &edge->origin->connections), 1, 2);
    edge_stop(edge);
}

static void the_longest_idle_client_makes_room(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){.max_connections = 3});
    int fds[5];
    char got[OUT];
    size_t len;
    for (size_t i = 0; i < 3; i++) {
        fds[i] = client_connect(edge);
        client_say(fds[i], GET);
        client_read_answer(fds[i], got, sizeof(got));
    }
    client_say(fds[0], GET); /* used again: now the second one is the longest idle */
    client_read_answer(fds[0], got, sizeof(got));
    fds[3] = client_connect(edge);
    client_say(fds[3], GET);
    client_read_answer(fds[3], got, sizeof(got));
    assert_int_equal(client_read_all(fds[1], got, sizeof(got), &len), END_EOF);
    client_say(fds[0], GET);
    client_read_answer(fds[0], got, sizeof(got));

    /* With all of them busy a newcomer waits in the kernel until one is done. */
    origin_play(edge->origin, (struct script){"", 0, HANG, WHOLE});
    int before = origin_count(edge->origin, &edge->origin->requests);
    client_say(fds[0], GET);
    client_say(fds[2], GET);
    client_say(fds[3], GET);
    origin_await(edge->origin, &edge->origin->requests, before + 3);
    fds[4] = client_connect(edge);
    client_say(fds[4], GET);
    edge_await(edge, "gateway_client_connections_full_total", 1);
    assert_int_equal(edge_metric(edge, "gateway_client_connections_max"), 3);
    assert_int_equal(edge_metric(edge, "gateway_client_connections"), 3);
    origin_play(edge->origin,
                (struct script){"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, KEEP, WHOLE});
    reset(fds[0]);
    client_read_answer(fds[4], got, sizeof(got));
    assert_int_equal(status_of(got), 200);
    for (size_t i = 1; i < 5; i++)
        reset(fds[i]);
    edge_stop(edge);
}

static void accepting_pauses_without_descriptors(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    char got[OUT];
    struct rlimit before, none;
    int fd = client_connect(edge);
    client_say(fd, GET);
    client_read_answer(fd, got, sizeof(got));
    getrlimit(RLIMIT_NOFILE, &before);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    none = (struct rlimit){(rlim_t)late + 1, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)edge->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(late, (struct sockaddr *)&address, sizeof(address)), 0);
    client_say(late, GET);
    edge_await(edge, "gateway_client_accept_failures_total", 1);
    client_say(fd, GET); /* those who are there are served meanwhile */
    client_read_answer(fd, got, sizeof(got));
    setrlimit(RLIMIT_NOFILE, &before);
    client_read_answer(late, got, sizeof(got));
    assert_int_equal(status_of(got), 200);
    close(fd);
    close(late);
    edge_stop(edge);
}

/* A listener whose queue is full answers no one. */
static void a_server_that_does_not_accept_times_out(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), queued[4];
    assert_int_equal(bind(deaf, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(deaf, 0), 0);
    assert_int_equal(getsockname(deaf, (struct sockaddr *)&address, &len), 0);
    for (size_t i = 0; i < ARRAY_LEN(queued); i++) {
        queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(queued[i], (struct sockaddr *)&address, sizeof(address)), -1);
        assert_int_equal(errno, EINPROGRESS);
    }
    struct edge *edge = edge_start(&(struct edge_options){0});
    char json[512], got[OUT];
    snprintf(json, sizeof(json),
             "{\"upstreams\":{\"deaf\":{\"servers\":[\"127.0.0.1:%d\"],\"connect_timeout_ms\":50}},"
             "\"routes\":[{\"path\":\"/deaf\",\"upstream\":\"deaf\"}]}",
             ntohs(address.sin_port));
    edge_write_routes(edge, json);
    do
        client_call(edge, LAST, got, sizeof(got));
    while (status_of(got) != 404);
    client_call(edge, "GET /deaf HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", got,
                sizeof(got));
    assert_int_equal(status_of(got), 504);
    assert_int_equal(edge_metric(edge, "gateway_upstream_failures_total{upstream=\"deaf\"}"), 1);
    /* A client that goes away while the connection is being made. */
    int fd = client_connect(edge);
    client_say(fd, "GET /deaf HTTP/1.1\r\nHost: h\r\n\r\n");
    edge_await(edge, "gateway_upstream_connections", 1);
    reset(fd);
    edge_await(edge, "gateway_upstream_connections", 0);
    edge_stop(edge);
    for (size_t i = 0; i < ARRAY_LEN(queued); i++)
        close(queued[i]);
    close(deaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(those_who_wait_are_served_in_turn),
        cmocka_unit_test(the_longest_idle_client_makes_room),
        cmocka_unit_test(accepting_pauses_without_descriptors),
        cmocka_unit_test(a_server_that_does_not_accept_times_out),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
