#include "civet.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <base/clock.h>
#include <base/str.h>
#include <civetweb.h>
#include <slog/slog.h>

#include "conns.h"
#include "core.h"
#include "exchange.h"
#include "listen.h"
#include "strict.h"

/* civetweb's buffer for a header section: larger than what is allowed, so that what is a little too
 * large is still seen whole and gets the right answer. */
#define SECTION_BUFFER ((size_t)32 << 10)
_Static_assert(SECTION_BUFFER >= STRICT_SECTION_MAX * 2, "see http_strict_check()");

/* Bytes per millisecond, beside the read timeout: who takes a piece of an answer more slowly is cut
 * off. */
#define WRITE_RATE    32
#define WRITE_PIECE   ((size_t)64 << 10)
#define WRITE_SMALL   4096 /* fits in the socket's buffer: not worth the guard */
#define LINGER_MS     1000
#define LINGER_BYTES  ((size_t)1 << 20)
#define START_MESSAGE 256

struct civet {
    struct http_server *server;
    struct mg_context *context;
    struct http_conns *conns;
    struct listen_address address;
    struct listener listener;
    char text[LISTEN_TEXT]; /* the address with the real port */
    pthread_t starter;
    char message[START_MESSAGE]; /* civetweb's last words to the starter */
};

struct worker {
    struct exchange exchange;
    struct civet *civet;
    struct http_conn *slot;
    struct mg_connection *conn;
    const char *buffer; /* where civetweb reads requests to, as far as is known; NULL: not yet */
    int64_t read_until_ms;
    uint64_t received; /* bytes of this connection's requests so far */
    bool is_first;     /* no request of this connection has been served */
};

/* --- bytes --- */

static ssize_t read_body(void *data, void *out, size_t len)
{
    struct worker *worker = data;
    if (worker->read_until_ms == 0)
        worker->read_until_ms = clock_mono_ms() + worker->civet->server->options.read_timeout_ms;
    http_conn_guard(worker->slot, SHUT_RD, worker->read_until_ms);
    int got = mg_read(worker->conn, out, len);
    bool is_in_time = http_conn_unguard(worker->slot);
    if (got > 0) {
        worker->received += (uint64_t)got;
        return got;
    }
    if (!is_in_time || clock_mono_ms() >= worker->read_until_ms)
        return READ_LATE;
    return got == 0 ? 0 : READ_BROKEN;
}

static bool write_piece(struct worker *worker, const char *bytes, size_t len)
{
    bool is_guarded = len > WRITE_SMALL;
    if (is_guarded)
        http_conn_guard(worker->slot, SHUT_RDWR,
                        clock_mono_ms() + worker->civet->server->options.read_timeout_ms +
                            (int64_t)(len / WRITE_RATE));
    int written = mg_write(worker->conn, bytes, len);
    if (is_guarded)
        http_conn_unguard(worker->slot);
    return written >= 0 && (size_t)written == len;
}

static bool write_answer(void *data, const void *bytes, size_t len)
{
    const char *from = bytes;
    for (size_t left = len; left > 0;) {
        size_t piece = MIN(left, WRITE_PIECE);
        if (!write_piece(data, from, piece))
            return false;
        from += piece;
        left -= piece;
    }
    return true;
}

static const struct http_transport transport = {read_body, write_answer};

/* A socket that is closed with bytes unread resets the connection, and the answer may be lost with
 * it. So the rest is read and thrown away, for a while. */
static void linger(const struct worker *worker)
{
    int fd = http_conn_socket(worker->slot);
    if (fd < 0 || shutdown(fd, SHUT_WR) != 0)
        return;
    char sink[4096];
    size_t drained = 0;
    int64_t until_ms = clock_mono_ms() + LINGER_MS;
    int64_t left_ms = LINGER_MS;
    while (left_ms > 0 && drained < LINGER_BYTES) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, (int)left_ms) < 0 && errno != EINTR)
            return;
        ssize_t got = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return;
        drained += got > 0 ? (size_t)got : 0;
        left_ms = until_ms - clock_mono_ms();
    }
}

/* --- requests --- */

static void begin(struct worker *worker, struct mg_connection *conn,
                  const struct mg_request_info *info)
{
    struct http_req *req = &worker->exchange.req;
    if (worker->is_first)
        http_conn_set_peer(worker->slot, info->remote_addr, info->remote_port);
    http_conn_begin(worker->slot);
    http_exchange_begin(&worker->exchange);
    worker->conn = conn;
    worker->read_until_ms = 0;
    req->transport = &transport;
    req->transport_data = worker;
    /* An IPv4 client of a socket for both families. */
    bool is_mapped = str_starts_with(info->remote_addr, "::ffff:");
    req->client_address = is_mapped ? info->remote_addr + 7 : info->remote_addr;
}

static void end(struct worker *worker)
{
    const struct exchange *exchange = &worker->exchange;
    if (exchange->res.close) {
        mg_disable_connection_keep_alive(worker->conn);
        if (!exchange->res.has_failed && exchange->req.body_state != BODY_READ)
            linger(worker);
    }
    worker->is_first = false;
    http_conn_end(worker->slot, exchange->res.sent_ns / 1000000);
}

/* Header values with the spaces behind them cut off. The strings are in civetweb's buffer, which is
 * ours while the request lasts. */
static void take_headers(struct http_req *req, const struct mg_request_info *info)
{
    for (int i = 0; i < info->num_headers; i++) {
        char *value = (char *)(uintptr_t)info->http_headers[i].value;
        size_t len = strlen(value);
        while (len > 0 && value[len - 1] == ' ')
            value[--len] = '\0';
        req->headers[i] = (struct http_header_pair){info->http_headers[i].name, value};
    }
    req->header_count = (size_t)info->num_headers;
}

/* What civetweb parsed must begin where its buffer does: in front of it there could only be empty
 * lines, behind which it takes leftovers for the request. malloc() aligns the buffer, and no
 * request of this thread has begun before it. */
static struct err *check_start(struct worker *worker, const char *method)
{
    bool is_aligned = (uintptr_t)method % 16 == 0;
    if (!is_aligned || (worker->buffer && method > worker->buffer))
        return err_new(&ERR_BAD_REQUEST, "there are empty lines before the request");
    worker->buffer = method;
    return NULL;
}

static struct err *check_section(struct worker *worker, const struct mg_request_info *info)
{
    _Static_assert(MG_MAX_HEADERS <= EXCHANGE_HEADERS_MAX, "headers[] and req->headers hold all");
    struct strict_header headers[EXCHANGE_HEADERS_MAX];
    struct strict_request section = {
        .method = info->request_method,
        .target = info->request_uri,
        .query = info->query_string,
        .version = info->http_version - strlen("HTTP/"),
        .headers = headers,
        .header_count = (size_t)info->num_headers,
    };
    for (size_t i = 0; i < section.header_count; i++)
        headers[i] =
            (struct strict_header){info->http_headers[i].name, info->http_headers[i].value};
    size_t size = 0;
    TRY(check_start(worker, info->request_method));
    if (info->num_headers >= MG_MAX_HEADERS) /* there may be more, which civetweb has left out */
        return err_new(&ERR_HEADERS_TOO_LARGE, "there are more than %d headers",
                       MG_MAX_HEADERS - 1);
    TRY(http_strict_check(&section, &size));
    worker->received += size;
    return NULL;
}

/* civetweb's begin_request: everything ends here, so that nothing of its own is ever reached. */
static int serve(struct mg_connection *conn)
{
    struct worker *worker = mg_get_thread_pointer(conn);
    if (!worker) {
        static const char busy[] =
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        mg_disable_connection_keep_alive(conn);
        mg_write(conn, busy, sizeof(busy) - 1);
        return 503;
    }
    const struct mg_request_info *info = mg_get_request_info(conn);
    struct http_req *req = &worker->exchange.req;
    begin(worker, conn, info);
    req->method_text = info->request_method;
    req->path = info->local_uri_raw;
    req->query_text = info->query_string;
    req->minor_version = str_equal(info->http_version, "1.0") ? 0 : 1;
    req->refusal = check_section(worker, info);
    take_headers(req, info);
    http_exchange_serve(&worker->exchange);
    end(worker);
    return worker->exchange.res.status;
}

/* --- what civetweb refuses itself --- */

/* civetweb has given up on a header section: it waited too long, its buffer was full, or a byte was
 * wrong; it does not say which. */
static struct err *explain_malformed(struct worker *worker)
{
    const struct http_server_options *options = &worker->civet->server->options;
    int64_t limit_ms = worker->is_first ? options->read_timeout_ms : options->idle_timeout_ms;
    if (clock_mono_ms() - http_conn_idle_since_ms(worker->slot) >= limit_ms)
        return err_new(&ERR_REQUEST_TIMEOUT, "the request did not arrive in time");
    struct tcp_info tcp = {0};
    socklen_t len = sizeof(tcp);
    int fd = http_conn_socket(worker->slot), unread = 0;
    if (fd >= 0 && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &len) == 0 &&
        ioctl(fd, SIOCINQ, &unread) == 0 &&
        tcp.tcpi_bytes_received >= worker->received + (uint64_t)unread + SECTION_BUFFER)
        return err_new(&ERR_HEADERS_TOO_LARGE, "the header section has more than %zu bytes",
                       STRICT_SECTION_MAX);
    return err_new(&ERR_BAD_REQUEST, "this is not an HTTP request");
}

static struct err *explain(struct worker *worker, const struct mg_request_info *info, int status)
{
    struct http_req *req = &worker->exchange.req;
    if (status == 505)
        return err_new(&ERR_VERSION_NOT_SUPPORTED, "HTTP/%s is not spoken here",
                       info->http_version);
    if (status == 500)
        return err_new(&ERR_INTERNAL, "civetweb could not read the request");
    if (!info->request_method)
        return explain_malformed(worker);
    /* civetweb has a list of methods; one that is not on it is like one that a path does not have.
     */
    if (info->http_version && info->request_uri && http_method_parse(info->request_method) == 0) {
        req->method_text = "";
        req->path = arena_strndup(&req->arena, info->request_uri, strcspn(info->request_uri, "?"));
        return req->path ? http_route_request(req) : err_oom();
    }
    return err_new(&ERR_BAD_REQUEST, "the request is malformed");
}

/* civetweb's http_error. It closes the connection afterwards. */
static int refuse(struct mg_connection *conn, int status, const char *message)
{
    (void)message;
    struct worker *worker = mg_get_thread_pointer(conn);
    const struct mg_request_info *info = mg_get_request_info(conn);
    if (!worker || !info)
        return 1;
    struct http_req *req = &worker->exchange.req;
    begin(worker, conn, info);
    req->method_text = req->path = "";
    req->query_text = NULL;
    req->minor_version = 1;
    req->refusal = explain(worker, info, status);
    http_exchange_serve(&worker->exchange);
    end(worker);
    return 0;
}

/* --- threads and connections --- */

static void *start_worker(const struct mg_context *context, int type)
{
    struct civet *civet = mg_get_user_data(context);
    if (type != 1)
        return NULL;
    struct http_conn *slot = http_conns_claim(civet->conns);
    struct worker *worker = slot ? calloc(1, sizeof(*worker)) : NULL;
    if (!worker)
        return NULL;
    worker->civet = civet;
    worker->slot = slot;
    http_exchange_init(&worker->exchange, civet->server);
    return worker;
}

static void end_worker(const struct mg_context *context, int type, void *data)
{
    (void)context;
    (void)type;
    struct worker *worker = data;
    if (!worker)
        return;
    http_exchange_deinit(&worker->exchange);
    free(worker);
}

static int open_connection(const struct mg_connection *conn, void **out_data)
{
    struct worker *worker = mg_get_thread_pointer(conn);
    *out_data = NULL;
    if (worker) {
        http_conn_open(worker->slot);
        worker->is_first = true;
        worker->received = 0;
    }
    return 0;
}

static void close_connection(const struct mg_connection *conn)
{
    struct worker *worker = mg_get_thread_pointer(conn);
    if (worker)
        http_conn_close(worker->slot);
}

static int take_message(const struct mg_connection *conn, const char *message)
{
    struct civet *civet = mg_get_user_data(mg_get_context(conn));
    if (pthread_equal(pthread_self(), civet->starter))
        snprintf(civet->message, sizeof(civet->message), "%s", message);
    else
        slog_debug("civetweb", SLOG_STR("message", message));
    return 1;
}

/* --- life --- */

static void init_library(void)
{
    mg_init_library(MG_FEATURES_DEFAULT);
}

static struct mg_context *start_civetweb(struct civet *civet)
{
    static const struct mg_callbacks callbacks = {
        .begin_request = serve,
        .http_error = refuse,
        .log_message = take_message,
        .init_thread = start_worker,
        .exit_thread = end_worker,
        .init_connection = open_connection,
        .connection_close = close_connection,
    };
    const struct http_server_options *options = &civet->server->options;
    char threads[16], read_ms[24], idle_ms[24], section[16];
    snprintf(threads, sizeof(threads), "%d", options->threads);
    snprintf(read_ms, sizeof(read_ms), "%" PRId64, options->read_timeout_ms);
    snprintf(idle_ms, sizeof(idle_ms), "%" PRId64, options->idle_timeout_ms);
    snprintf(section, sizeof(section), "%zu", SECTION_BUFFER);
    const char *settings[] = {"listening_ports",
                              civet->address.spec,
                              "num_threads",
                              threads,
                              "request_timeout_ms",
                              read_ms,
                              "keep_alive_timeout_ms",
                              idle_ms,
                              "max_request_size",
                              section,
                              "enable_keep_alive",
                              "yes",
                              "tcp_nodelay",
                              "1",
                              "connection_queue",
                              "64",
                              "listen_backlog",
                              "1024",
                              "decode_url",
                              "no",
                              "enable_auth_domain_check",
                              "no",
                              "enable_directory_listing",
                              "no",
                              NULL};
    return mg_start(&callbacks, civet, settings);
}

static void free_civet(struct civet *civet)
{
    http_listener_deinit(&civet->listener);
    http_conns_free(civet->conns);
    free(civet);
}
DEFINE_CLEANUP(struct civet *, free_civet);

struct err *http_civet_start(struct http_server *server, struct civet **out_civet)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    const char *text = server->options.address;
    _cleanup_(free_civet) struct civet *civet = calloc(1, sizeof(*civet));
    if (!civet)
        return err_oom();
    civet->server = server;
    civet->starter = pthread_self();
    civet->listener = LISTENER_NONE;
    TRY(http_listen_parse(text, &civet->address));
    TRY(http_conns_new((size_t)server->options.threads, &civet->conns));
    struct mg_context *context = start_civetweb(civet);
    if (!context)
        return http_listen_failure(text, &civet->address, civet->message);
    civet->context = context;
    struct mg_server_port port = {0};
    mg_get_server_ports(context, 1, &port);
    http_conns_set_port(civet->conns, port.port);
    civet->listener = http_listener_find(&civet->address, port.port);
    bool is_v6 = strchr(civet->address.host, ':');
    snprintf(civet->text, sizeof(civet->text), is_v6 ? "[%s]:%d" : "%s:%d", civet->address.host,
             port.port);
    *out_civet = TAKE(civet);
    return NULL;
}

const char *http_civet_address(const struct civet *civet)
{
    return civet->text;
}

void http_civet_drain(struct civet *civet, int64_t timeout_ms)
{
    http_listener_close(&civet->listener);
    http_conns_drain(civet->conns, timeout_ms);
}

void http_civet_stop(struct civet *civet)
{
    http_listener_wake(&civet->listener);
    mg_stop(civet->context);
    free_civet(civet);
}
