#include <http/client.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/str.h>
#include <http/http.h>
#include <slog/trace.h>

#include "framing.h"
#include "net.h"
#include "wire.h"

#define MAX_IDLE        4
#define MAX_IDLE_TOTAL  64 /* of all origins */
#define IDLE_MAX_MS     30000
#define MAX_ANSWER      ((size_t)8 << 20)
#define TIMEOUT_MS      30000
#define REQUEST_MAX     ((size_t)256 << 10) /* head, and the body that is sent with it */
#define ONE_WRITE_MAX   ((size_t)64 << 10)
#define READ_PIECE      ((size_t)16 << 10)
#define INTERIM_MAX     8 /* answers with a status of 1xx before the real one */
#define ANSWER_OVERHEAD ((size_t)1 << 20)

struct http_client {
    struct http_client_options options;
    char *ca_file;
    pthread_mutex_t lock;    /* of what follows */
    struct tls_context *tls; /* made for the first https URL; then constant */
    struct list_node idle;   /* of struct net_conn, the most recently used in front */
    size_t idle_count;
};

/* --- life --- */

struct err *http_client_new(const struct http_client_options *options,
                            struct http_client **out_client)
{
    struct http_client *client = calloc(1, sizeof(*client));
    if (!client)
        return err_oom();
    client->options = options ? *options : (struct http_client_options){0};
    if (client->options.max_idle == 0)
        client->options.max_idle = MAX_IDLE;
    if (client->options.max_answer == 0)
        client->options.max_answer = MAX_ANSWER;
    if (client->options.timeout_ms <= 0)
        client->options.timeout_ms = TIMEOUT_MS;
    if (client->options.ca_file) {
        client->ca_file = strdup(client->options.ca_file);
        if (!client->ca_file) {
            free(client);
            return err_oom();
        }
    }
    pthread_mutex_init(&client->lock, NULL);
    list_node_init(&client->idle);
    *out_client = client;
    return NULL;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    struct list_node *node;
    while ((node = list_pop_front(&client->idle)))
        http_net_free(CONTAINER_OF(node, struct net_conn, node));
    http_tls_context_free(client->tls);
    pthread_mutex_destroy(&client->lock);
    free(client->ca_file);
    free(client);
}

void http_answer_deinit(struct http_answer *answer)
{
    arena_deinit(&answer->arena);
    *answer = (struct http_answer){0};
}

void http_answer_move(struct http_answer *from, struct http_answer *out_to)
{
    *out_to = *from;
    *from = (struct http_answer){0};
}

const char *http_answer_header(const struct http_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++)
        if (str_equal_nocase(answer->headers[i].name, name))
            return answer->headers[i].value;
    return NULL;
}

static struct err *find_tls(struct http_client *client, struct tls_context **out_tls)
{
    struct err *e = NULL;
    pthread_mutex_lock(&client->lock);
    if (!client->tls)
        e = http_tls_context_new(client->ca_file, &client->tls);
    *out_tls = client->tls;
    pthread_mutex_unlock(&client->lock);
    return e;
}

/* --- idle connections --- */

static bool has_origin(const struct net_conn *conn, const struct http_url *url)
{
    return conn->is_tls == url->is_tls && strcmp(conn->port, url->port) == 0 &&
           str_equal_nocase(conn->host, url->host);
}

static struct net_conn *pop_idle(struct http_client *client, const struct http_url *url)
{
    struct net_conn *found = NULL;
    pthread_mutex_lock(&client->lock);
    LIST_FOREACH (node, &client->idle) {
        struct net_conn *conn = CONTAINER_OF(node, struct net_conn, node);
        if (has_origin(conn, url)) {
            list_remove(node);
            client->idle_count--;
            found = conn;
            break;
        }
    }
    pthread_mutex_unlock(&client->lock);
    return found;
}

/* One that still works, as far as can be seen from here. */
static struct net_conn *take_idle(struct http_client *client, const struct http_url *url)
{
    struct net_conn *conn;
    while ((conn = pop_idle(client, url))) {
        if (clock_mono_ms() - conn->idle_since_ms < IDLE_MAX_MS && !http_net_is_stale(conn))
            return conn;
        http_net_free(conn);
    }
    return NULL;
}

/* The least recently used connection of the origin, or of all, when there is no room for one more.
 */
static struct net_conn *make_room(struct http_client *client, const struct http_url *url)
{
    size_t same = 0;
    struct net_conn *oldest = NULL, *oldest_same = NULL;
    LIST_FOREACH (node, &client->idle) {
        oldest = CONTAINER_OF(node, struct net_conn, node);
        if (has_origin(oldest, url)) {
            oldest_same = oldest;
            same++;
        }
    }
    struct net_conn *surplus = same >= client->options.max_idle       ? oldest_same
                               : client->idle_count >= MAX_IDLE_TOTAL ? oldest
                                                                      : NULL;
    if (surplus) {
        list_remove(&surplus->node);
        client->idle_count--;
    }
    return surplus;
}

static void put_idle(struct http_client *client, const struct http_url *url, struct net_conn *conn)
{
    http_net_detach(conn);
    conn->idle_since_ms = clock_mono_ms();
    pthread_mutex_lock(&client->lock);
    struct net_conn *surplus = make_room(client, url);
    list_push_front(&client->idle, &conn->node);
    client->idle_count++;
    pthread_mutex_unlock(&client->lock);
    http_net_free(surplus);
}

/* --- the request --- */

static bool is_own_header(const char *name)
{
    static const char *const own[] = {"Connection", "Content-Length", "Host", "Transfer-Encoding"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (str_equal_nocase(own[i], name))
            return true;
    return false;
}

static bool has_header(const struct http_request *request, const char *name)
{
    for (const struct http_header_pair *h = request->headers; h && h->name; h++)
        if (str_equal_nocase(h->name, name))
            return true;
    return false;
}

static struct err *append_headers(const struct http_request *request, struct buf *out)
{
    for (const struct http_header_pair *h = request->headers; h && h->name; h++) {
        bool is_fine = http_is_token(h->name) && !is_own_header(h->name);
        for (const char *c = h->value; is_fine && *c != '\0'; c++)
            is_fine = ((unsigned char)*c >= ' ' || *c == '\t') && *c != 0x7f;
        if (!is_fine)
            return err_new(&ERR_INTERNAL, "the header '%s' cannot be sent", h->name);
        buf_printf(out, "%s: %s\r\n", h->name, h->value);
    }
    return NULL;
}

/* The server joins what it does to what is done here. */
static void append_trace(const struct http_request *request, struct buf *out)
{
    const struct trace *trace = trace_current();
    if (!trace)
        return;
    char parent[TRACE_PARENT_LEN + 1];
    trace_format_parent(trace, parent);
    if (parent[0] != '\0' && !has_header(request, "traceparent"))
        buf_printf(out, "traceparent: %s\r\n", parent);
    if (trace->request_id[0] != '\0' && !has_header(request, "X-Request-Id"))
        buf_printf(out, "X-Request-Id: %s\r\n", trace->request_id);
}

static struct err *compose(const struct http_url *url, const struct http_request *request,
                           struct buf *out)
{
    bool has_body = request->body || request->method == POST || request->method == PUT ||
                    request->method == PATCH;
    buf_printf(out, "%s %s%s HTTP/1.1\r\nHost: %s\r\n", http_method_name(request->method),
               url->target[0] == '/' ? "" : "/", url->target, url->authority);
    TRY(append_headers(request, out));
    append_trace(request, out);
    if (request->body && !has_header(request, "Content-Type"))
        buf_append_str(out, "Content-Type: application/json\r\n");
    if (has_body)
        buf_printf(out, "Content-Length: %zu\r\n", request->body ? request->body_len : 0);
    buf_append_str(out, "\r\n");
    if (request->body && request->body_len <= ONE_WRITE_MAX)
        buf_append(out, request->body, request->body_len);
    if (buf_status(out) == BUF_TOO_LARGE)
        return err_new(&ERR_INTERNAL, "the request has more than %zu bytes of headers",
                       REQUEST_MAX);
    return buf_status(out) == BUF_OK ? NULL : err_oom();
}

static struct err *send_request(struct net_conn *conn, const struct http_request *request,
                                const struct buf *head)
{
    TRY(http_net_write(conn, head->data, head->len));
    if (request->body && request->body_len > ONE_WRITE_MAX)
        TRY(http_net_write(conn, request->body, request->body_len));
    return NULL;
}

/* --- the answer --- */

struct reading {
    struct net_conn *conn;
    struct buf in;
    bool has_begun; /* something of the answer has come */
};

static struct err *read_more(struct reading *reading, bool *out_is_end)
{
    char *place = buf_reserve(&reading->in, READ_PIECE);
    if (!place)
        return err_oom();
    size_t got = 0;
    TRY(http_net_read(reading->conn, place, READ_PIECE, &got));
    buf_commit(&reading->in, got);
    reading->has_begun = reading->has_begun || got > 0;
    *out_is_end = got == 0;
    return NULL;
}

static struct err *cut_short(void)
{
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the server closed the connection before its answer "
                                              "was complete");
}

static struct err *read_head(struct reading *reading, bool is_head, struct arena *arena,
                             struct wire_head *out_head)
{
    for (int interim = 0; interim <= INTERIM_MAX;) {
        size_t size = http_wire_head_size(buf_text(&reading->in), reading->in.len);
        if (size > WIRE_HEAD_MAX || (size == 0 && reading->in.len > WIRE_HEAD_MAX))
            return err_new(&ERR_UPSTREAM_UNAVAILABLE,
                           "the answer's header section has more than %zu bytes", WIRE_HEAD_MAX);
        if (size == 0) {
            bool is_end = false;
            TRY(read_more(reading, &is_end));
            if (is_end)
                return cut_short();
            continue;
        }
        TRY(http_wire_head_parse(reading->in.data, size, is_head, arena, out_head));
        buf_consume(&reading->in, size);
        if (out_head->status >= 200)
            return NULL;
        if (out_head->status == 101)
            break;
        interim++;
    }
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the answer is none to this request");
}

static struct err *too_large(const struct buf *body)
{
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the answer has more than %zu bytes", body->max);
}

static struct err *read_length(struct reading *reading, size_t length, struct buf *body)
{
    if (length > body->max)
        return too_large(body);
    while (body->len < length) {
        bool is_end = false;
        if (reading->in.len == 0)
            TRY(read_more(reading, &is_end));
        if (is_end)
            return cut_short();
        size_t count = MIN(reading->in.len, length - body->len);
        if (!buf_append(body, reading->in.data, count))
            return err_oom();
        buf_consume(&reading->in, count);
    }
    return NULL;
}

static struct err *read_chunks(struct reading *reading, struct buf *body)
{
    struct wire_chunks chunks = {0};
    for (;;) {
        TRY(http_wire_chunks(&chunks, &reading->in, body));
        if (chunks.place == WIRE_END)
            return NULL;
        bool is_end = false;
        TRY(read_more(reading, &is_end));
        if (is_end)
            return cut_short();
    }
}

static struct err *read_to_end(struct reading *reading, struct buf *body)
{
    for (bool is_end = false; !is_end;) {
        if (reading->in.len > body->max - body->len)
            return too_large(body);
        if (!buf_append(body, buf_text(&reading->in), reading->in.len))
            return err_oom();
        buf_reset(&reading->in);
        TRY(read_more(reading, &is_end));
    }
    return NULL;
}

static struct err *read_body(struct reading *reading, const struct wire_head *head,
                             struct buf *body)
{
    switch (head->body) {
    case WIRE_LENGTH:
        return read_length(reading, head->length, body);
    case WIRE_CHUNKED:
        return read_chunks(reading, body);
    case WIRE_UNTIL_CLOSE:
        return read_to_end(reading, body);
    case WIRE_NONE:
        break;
    }
    return NULL;
}

static struct err *read_answer(struct http_client *client, struct reading *reading, bool is_head,
                               struct http_answer *out_answer, bool *out_keep)
{
    size_t max = client->options.max_answer;
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(max);
    _cleanup_(http_answer_deinit) struct http_answer answer = {
        .arena = ARENA_INIT(max + ANSWER_OVERHEAD)};
    struct wire_head head = {0};
    TRY(read_head(reading, is_head, &answer.arena, &head));
    TRY(read_body(reading, &head, &body));
    answer.status = head.status;
    answer.headers = head.headers;
    answer.header_count = head.header_count;
    answer.body = arena_strndup(&answer.arena, buf_text(&body), body.len);
    answer.body_len = body.len;
    if (!answer.body)
        return err_oom();
    *out_keep = head.keep_alive && reading->in.len == 0;
    http_answer_move(&answer, out_answer);
    return NULL;
}

/* --- the call --- */

struct call {
    struct http_client *client;
    struct ctx *ctx;
    struct http_url url;
    const struct http_request *request;
    struct buf head;
};

/* On a connection that was idle, or a new one. *out_is_stale: it failed as one does that the server
 * had closed meanwhile. */
static struct err *attempt(struct call *call, bool may_reuse, struct http_answer *out_answer,
                           bool *out_is_stale)
{
    _cleanup_(http_net_free) struct net_conn *conn =
        may_reuse ? take_idle(call->client, &call->url) : NULL;
    bool is_reused = conn;
    *out_is_stale = false;
    if (conn) {
        http_net_attach(conn, call->ctx);
    } else {
        struct tls_context *tls = NULL;
        if (call->url.is_tls)
            TRY(find_tls(call->client, &tls));
        TRY(http_net_connect(&call->url, tls, call->ctx, &conn));
    }
    /* A server that refuses a request may answer and close before it has read it all. */
    _cleanup_(err_free) struct err *unsent = send_request(conn, call->request, &call->head);
    struct reading reading = {.conn = conn, .in = BUF_INIT(WIRE_HEAD_MAX + 2 * READ_PIECE)};
    bool keep = false;
    struct err *e =
        read_answer(call->client, &reading, call->request->method == HEAD, out_answer, &keep);
    buf_deinit(&reading.in);
    *out_is_stale = e && is_reused && !reading.has_begun && !ctx_is_done(call->ctx);
    if (!e && keep && !unsent)
        put_idle(call->client, &call->url, TAKE(conn));
    if (e && unsent) {
        err_free(e);
        return TAKE(unsent);
    }
    return e;
}

static bool is_idempotent(enum http_method method)
{
    return method != POST && method != PATCH;
}

struct err *http_client_call(struct http_client *client, struct ctx *ctx,
                             const struct http_request *request, struct http_answer *out)
{
    http_answer_deinit(out);
    struct call call = {.client = client, .request = request, .head = BUF_INIT(REQUEST_MAX)};
    TRY(http_url_parse(request->url, &call.url));
    struct ctx own;
    ctx_init(&own, ctx, client->options.timeout_ms);
    call.ctx = &own;
    bool is_stale = false;
    struct err *e = compose(&call.url, request, &call.head);
    if (!e)
        e = attempt(&call, true, out, &is_stale);
    if (e && is_stale && is_idempotent(request->method)) {
        err_free(e);
        e = attempt(&call, false, out, &is_stale);
    }
    buf_deinit(&call.head);
    ctx_deinit(&own);
    /* Without the path and query, which may hold secrets. */
    return err_wrap(e, "%s to %s", http_method_name(request->method), call.url.authority);
}
