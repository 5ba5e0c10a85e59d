/* Bodies of any length, in both directions, at any pace, in bounded memory. */
#include "edge.h"

#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <base/macros.h>

#define OUT   65536
#define MANY  ((size_t)100 << 20)
#define ROUTE ",\"max_body_bytes\":1000000000"

/* A stream is this over and over. A prime number of bytes, so that lost and doubled pieces show. */
#define PATTERN 65521
static char pattern[PATTERN];

static int make_pattern(void **state)
{
    (void)state;
    unsigned random = 1;
    for (size_t i = 0; i < PATTERN; i++) {
        random = random * 1103515245 + 12345;
        pattern[i] = (char)('!' + (random >> 16) % 90);
    }
    return 0;
}

static void fill(char *bytes, size_t count, size_t offset)
{
    while (count > 0) {
        size_t run = MIN(count, PATTERN - offset % PATTERN);
        memcpy(bytes, pattern + offset % PATTERN, run);
        bytes += run;
        offset += run;
        count -= run;
    }
}

static bool matches(const char *bytes, size_t count, size_t offset)
{
    while (count > 0) {
        size_t run = MIN(count, PATTERN - offset % PATTERN);
        if (memcmp(bytes, pattern + offset % PATTERN, run) != 0)
            return false;
        bytes += run;
        offset += run;
        count -= run;
    }
    return true;
}

/* --- one direction after the other --- */

struct stream {
    size_t total;
    bool is_chunked;
    size_t piece; /* bytes of one write, or of one chunk */
};

static size_t put_piece(char *out, size_t cap, const struct stream *stream, size_t offset)
{
    size_t count = MIN(stream->piece, stream->total - offset), len = 0;
    const char *end = offset + count == stream->total ? "\r\n0\r\n\r\n" : "\r\n";
    if (stream->is_chunked)
        len += (size_t)snprintf(out, cap, "%zx\r\n", count);
    fill(out + len, count, offset);
    len += count;
    if (stream->is_chunked)
        len += (size_t)snprintf(out + len, cap - len, "%s", end);
    return len;
}

static bool send_stream(int fd, const struct stream *stream)
{
    static _Thread_local char piece[OUT + 64];
    for (size_t offset = 0; offset < stream->total; offset += stream->piece)
        if (!client_send(fd, piece, put_piece(piece, sizeof(piece), stream, offset)))
            return false;
    return true;
}

/* What a reader of a body has found. */
struct found {
    size_t body;
    bool is_right, is_whole;
};

/* Takes chunks apart, strictly enough for what the gateway writes. */
struct dechunk {
    size_t left;
    char line[32];
    size_t line_len;
    bool in_data, is_last;
};

static bool dechunk(struct dechunk *d, const char *bytes, size_t count, struct found *found)
{
    for (size_t i = 0; i < count;) {
        if (d->in_data) {
            size_t run = MIN(d->left, count - i);
            found->is_right = found->is_right && matches(bytes + i, run, found->body);
            found->body += run;
            d->left -= run;
            i += run;
            d->in_data = d->left > 0;
            continue;
        }
        d->line[d->line_len++] = bytes[i++];
        if (d->line_len < 3 || d->line[d->line_len - 1] != '\n') {
            if (d->line_len == sizeof(d->line))
                return false;
            if (d->line_len == 2 && memcmp(d->line, "\r\n", 2) == 0) {
                found->is_whole = d->is_last;
                d->line_len = 0; /* the end of a chunk, or of all */
            }
            continue;
        }
        d->left = strtoul(d->line, NULL, 16);
        d->is_last = d->left == 0;
        d->in_data = d->left > 0;
        d->line_len = 0;
    }
    return true;
}

/* Reads a message and its body from a socket, at a pace. */
static struct found read_stream(int fd, const struct stream *stream, size_t bite)
{
    static _Thread_local char bytes[OUT];
    struct found found = {.is_right = true};
    struct dechunk d = {0};
    size_t len = 0;
    char *end = NULL;
    while (!end && len < sizeof(bytes) - 1) {
        ssize_t got = recv(fd, bytes + len, MIN(bite, sizeof(bytes) - 1 - len), 0);
        if (got <= 0)
            return found;
        len += (size_t)got;
        bytes[len] = '\0';
        end = strstr(bytes, "\r\n\r\n");
    }
    bool is_chunked = strstr(bytes, "\r\nTransfer-Encoding: chunked\r\n") != NULL;
    if (!end)
        return found;
    const char *at = end + 4;
    size_t count = len - (size_t)(at - bytes);
    for (;;) {
        if (is_chunked) {
            found.is_right = dechunk(&d, at, count, &found) && found.is_right;
        } else {
            found.is_right = found.is_right && matches(at, count, found.body);
            found.body += count;
            found.is_whole = found.body == stream->total;
        }
        if (found.is_whole)
            return found;
        ssize_t got = recv(fd, bytes, MIN(bite, sizeof(bytes)), 0);
        if (got <= 0)
            return found;
        at = bytes;
        count = (size_t)got;
    }
}

struct exchange_plan {
    struct stream up, down;
    size_t bite;      /* of who reads */
    struct found got; /* by the upstream */
};

static void serve_plan(struct origin *origin, int fd)
{
    char head[256], first;
    while (recv(fd, &first, 1, MSG_PEEK) == 1) {
        /* A copy: the test goes on to its next plan as soon as it has the whole answer. */
        pthread_mutex_lock(&origin->lock);
        struct exchange_plan *shared = origin->data, plan = *shared;
        pthread_mutex_unlock(&origin->lock);
        plan.got = read_stream(fd, &plan.up, plan.bite);
        pthread_mutex_lock(&origin->lock);
        shared->got = plan.got;
        pthread_mutex_unlock(&origin->lock);
        if (plan.down.is_chunked)
            snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        else
            snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                     plan.down.total);
        client_send(fd, head, strlen(head));
        send_stream(fd, &plan.down);
    }
}

static void run_plan(const char *name, struct edge *edge, struct exchange_plan *plan)
{
    char head[256];
    pthread_mutex_lock(&edge->origin->lock);
    edge->origin->data = plan;
    edge->origin->serve = serve_plan;
    pthread_mutex_unlock(&edge->origin->lock);
    if (plan->up.is_chunked)
        snprintf(head, sizeof(head),
                 "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n");
    else
        snprintf(head, sizeof(head),
                 "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                 plan->up.total);
    int fd = client_connect(edge);
    client_say(fd, head);
    CHECK(name, send_stream(fd, &plan->up));
    struct found got = read_stream(fd, &plan->down, plan->bite);
    close(fd);
    CHECK_INT(name, got.body, plan->down.total);
    CHECK(name, got.is_right && got.is_whole);
    pthread_mutex_lock(&edge->origin->lock);
    got = plan->got;
    pthread_mutex_unlock(&edge->origin->lock);
    CHECK_INT(name, got.body, plan->up.total);
    CHECK(name, got.is_right && got.is_whole);
}

static void bodies_arrive_as_they_were_sent(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct stream up, down;
        size_t bite;
    } cases[] = {
        {"small pieces", {3000, false, 7}, {3000, false, 7}, OUT},
        {"small chunks", {3000, true, 7}, {3000, true, 7}, OUT},
        {"chunks of one byte", {2000, true, 1}, {2000, true, 1}, OUT},
        {"a little less than a buffer", {20479, false, OUT}, {20479, false, OUT}, OUT},
        {"a buffer", {20480, false, OUT}, {20480, false, OUT}, OUT},
        {"a little more than a buffer", {20481, true, OUT}, {20481, true, OUT}, OUT},
        {"large pieces", {4 << 20, false, OUT}, {4 << 20, false, OUT}, OUT},
        {"large chunks", {4 << 20, true, OUT}, {4 << 20, true, OUT}, OUT},
        {"odd chunks", {4 << 20, true, 4099}, {4 << 20, true, 4099}, OUT},
        {"up as chunks, down as one", {1 << 20, true, 1000}, {1 << 20, false, 1000}, 3000},
        {"up as one, down as chunks", {1 << 20, false, 1000}, {1 << 20, true, 1000}, 3000},
        {"readers that take little", {1 << 20, true, OUT}, {1 << 20, true, OUT}, 100},
    };
    /* With one connection at most, a body is gathered before it streams. */
    static const char *const upstreams[] = {"", ",\"max_connections\":1"};
    for (size_t u = 0; u < ARRAY_LEN(upstreams); u++) {
        struct edge *edge =
            edge_start(&(struct edge_options){.route = ROUTE, .upstream = upstreams[u]});
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            struct exchange_plan plan = {cases[i].up, cases[i].down, cases[i].bite, {0}};
            run_plan(cases[i].name, edge, &plan);
        }
        edge_stop(edge);
    }
}

/* --- slow clients --- */

static void slow_clients_leave_connections_to_others(void **state)
{
    (void)state;
    enum { SLOW = 8 };
    static const struct {
        const char *name, *begin, *end;
    } cases[] = {
        {"length", "Content-Length: 9\r\n\r\nbe", "ginning"},
        {"chunks", "Transfer-Encoding: chunked\r\n\r\n4\r\nbe", "gi\r\n5\r\nnning\r\n0\r\n\r\n"},
    };
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        struct edge *edge = edge_start(
            &(struct edge_options){.upstream = ",\"max_connections\":4,\"wait_timeout_ms\":500"});
        int fds[SLOW];
        char got[OUT];
        for (size_t i = 0; i < SLOW; i++) {
            fds[i] = client_connect(edge);
            client_say(fds[i], "POST / HTTP/1.1\r\nHost: h\r\n");
            client_say(fds[i], cases[c].begin);
        }
        edge_await(edge, "gateway_client_connections", SLOW);
        client_call(edge, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", got,
                    sizeof(got));
        CHECK_INT(cases[c].name, status_of(got), 200);
        for (size_t i = 0; i < SLOW; i++) {
            client_say(fds[i], cases[c].end);
            client_say(fds[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            client_read_answer(fds[i], got, sizeof(got));
            CHECK_INT(cases[c].name, status_of(got), 200);
            client_read_answer(fds[i], got, sizeof(got));
            CHECK_INT(cases[c].name, status_of(got), 200);
            close(fds[i]);
        }
        edge_stop(edge);
    }
}

static void a_body_that_does_not_come_is_given_up(void **state)
{
    (void)state;
    struct edge *edge = edge_start(
        &(struct edge_options){.upstream = ",\"max_connections\":1", .body_timeout_ms = 100});
    char got[OUT];
    int fd = client_connect(edge);
    client_say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
    size_t len;
    assert_int_equal(client_read_all(fd, got, sizeof(got), &len), END_EOF);
    assert_int_equal(status_of(got), 408);
    close(fd);
    fd = client_connect(edge);
    client_say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
    shutdown(fd, SHUT_WR);
    assert_int_equal(client_read_all(fd, got, sizeof(got), &len), END_EOF);
    assert_int_equal(status_of(got), 400);
    close(fd);
    assert_int_equal(origin_count(edge->origin, &edge->origin->connections), 0);
    edge_stop(edge);
}

/* What malloc() has given out, whoever has it. */
static size_t heap_bytes(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static void hundred_megabytes_need_no_more_memory(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){.route = ROUTE});
    struct exchange_plan small = {{MANY / 100, true, OUT}, {MANY / 100, true, OUT}, OUT, {0}};
    run_plan("small", edge, &small);
    size_t before = heap_bytes();
    struct exchange_plan large = {{MANY, true, OUT}, {MANY, false, OUT}, OUT, {0}};
    run_plan("large", edge, &large);
    assert_in_range(heap_bytes(), 0, before + (256 << 10));
    edge_stop(edge);
}

/* --- back-pressure --- */

/* Sends until the socket takes no more, and says how much that was. */
static size_t send_until_full(int fd)
{
    static char bytes[OUT];
    size_t total = 0;
    const struct timeval moment = {.tv_usec = 300000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment));
    ssize_t sent;
    while (total < MANY && (sent = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0)
        total += (size_t)sent;
    return total;
}

static void serve_endlessly(struct origin *origin, int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
    if (!origin_read(origin, fd, WHOLE) || !client_send(fd, head, sizeof(head) - 1))
        return;
    size_t *sent = origin->data;
    *sent = send_until_full(fd);
    pthread_mutex_lock(&origin->lock);
    origin->requests++;
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->lock);
    char waste;
    recv(fd, &waste, 1, 0);
}

/* What the sockets' buffers of both connections may take together. */
#define KERNEL_ROOM ((size_t)40 << 20)

static void a_client_that_does_not_read_stops_the_upstream(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    size_t sent = 0;
    edge->origin->data = &sent;
    edge->origin->serve = serve_endlessly;
    int fd = client_connect(edge);
    client_say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    origin_await(edge->origin, &edge->origin->requests, 2);
    assert_in_range(sent, 1, KERNEL_ROOM);
    close(fd);
    origin_await(edge->origin, &edge->origin->open, 0);
    edge_stop(edge);
}

/* Sends more than the client takes, then breaks the connection while the gateway holds back. */
static void serve_and_break(struct origin *origin, int fd)
{
    serve_endlessly(origin, fd);
    const struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

static void a_break_behind_a_slow_client_is_noticed(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    size_t sent = 0;
    edge->origin->data = &sent;
    edge->origin->serve = serve_and_break;
    int fd = client_connect(edge);
    client_say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    origin_await(edge->origin, &edge->origin->requests, 2);
    origin_stop_connections(edge->origin);
    origin_await(edge->origin, &edge->origin->open, 0);
    enum end end;
    size_t len;
    static char got[OUT];
    do
        end = client_read_all(fd, got, sizeof(got), &len);
    while (len == sizeof(got) - 1);
    assert_int_equal(end, END_RESET);
    close(fd);
    edge_stop(edge);
}

/* Takes the head and nothing else, until it is told to go. */
static void serve_nothing(struct origin *origin, int fd)
{
    if (!origin_read(origin, fd, HEAD_ONLY))
        return;
    struct pollfd gone = {.fd = fd, .events = POLLRDHUP};
    poll(&gone, 1, WAIT_S * 1000);
}

static void an_upstream_that_does_not_read_stops_the_client(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){.route = ROUTE});
    edge->origin->serve = serve_nothing;
    int fd = client_connect(edge);
    client_say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900000000\r\n\r\n");
    assert_in_range(send_until_full(fd), 1, KERNEL_ROOM);
    const struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd);
    origin_await(edge->origin, &edge->origin->open, 0);
    edge_stop(edge);
}

static void a_client_that_stops_reading_is_cut_off(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){.body_timeout_ms = 500});
    size_t sent = 0;
    edge->origin->data = &sent;
    edge->origin->serve = serve_endlessly;
    int fd = client_connect(edge);
    client_say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    edge_await(edge, "gateway_client_timeouts_total", 1);
    edge_await(edge, "gateway_client_connections", 0);
    static char got[OUT];
    enum end end;
    do {
        size_t len;
        end = client_read_all(fd, got, sizeof(got), &len);
        if (len < sizeof(got) - 1)
            break;
    } while (true);
    assert_int_equal(end, END_RESET); /* never a clean end */
    close(fd);
    edge_stop(edge);
}

/* --- Expect and early answers --- */

static void a_client_that_asks_is_told_to_continue(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){0});
    char got[OUT];
    int fd = client_connect(edge);
    client_say(fd,
               "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    client_read_answer(fd, got, sizeof(got));
    assert_string_equal(got, "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(fd, "hello");
    client_read_answer(fd, got, sizeof(got));
    assert_int_equal(status_of(got), 200);
    origin_last(edge->origin, got, sizeof(got));
    assert_null(strstr(got, "Expect"));
    /* Whoever does not wait is not told. */
    client_say(fd, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
                   "hello");
    client_read_answer(fd, got, sizeof(got));
    assert_int_equal(status_of(got), 200);
    close(fd);
    edge_stop(edge);
}

static void a_refusal_comes_instead_of_continue(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){.route = ",\"max_body_bytes\":4"});
    char got[OUT];
    client_call(edge,
                "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
                got, sizeof(got));
    assert_int_equal(status_of(got), 413);
    edge_stop(edge);
}

static void an_answer_may_come_before_the_body(void **state)
{
    (void)state;
    struct edge *edge = edge_start(&(struct edge_options){.route = ROUTE});
    char got[OUT];
    origin_play(edge->origin, (struct script){"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", 0,
                                              KEEP, HEAD_ONLY});
    assert_int_equal(client_call(edge,
                                 "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\nbegin",
                                 got, sizeof(got)),
                     END_EOF);
    assert_int_equal(status_of(got), 403);
    assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
    /* The rest of the request never came: that connection serves no one else. */
    origin_await(edge->origin, &edge->origin->open, 0);
    edge_stop(edge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_arrive_as_they_were_sent),
        cmocka_unit_test(slow_clients_leave_connections_to_others),
        cmocka_unit_test(a_body_that_does_not_come_is_given_up),
        cmocka_unit_test(hundred_megabytes_need_no_more_memory),
        cmocka_unit_test(a_client_that_does_not_read_stops_the_upstream),
        cmocka_unit_test(a_break_behind_a_slow_client_is_noticed),
        cmocka_unit_test(an_upstream_that_does_not_read_stops_the_client),
        cmocka_unit_test(a_client_that_stops_reading_is_cut_off),
        cmocka_unit_test(a_client_that_asks_is_told_to_continue),
        cmocka_unit_test(a_refusal_comes_instead_of_continue),
        cmocka_unit_test(an_answer_may_come_before_the_body),
    };
    return cmocka_run_group_tests_name("stream", tests, make_pattern, NULL);
}
