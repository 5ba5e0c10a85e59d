#include "check.h"

#include "url.h"
#include "wire.h"

static void test_head(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool is_bodiless;
        int status;
        enum wire_body body;
        size_t length;
        bool keep_alive;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, WIRE_LENGTH, 5, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, 200, WIRE_NONE, 5, true},
        {"HTTP/1.1 200\r\nA:b\r\nContent-Length:0 \r\n\r\n", false, 200, WIRE_LENGTH, 0, true},
        {"HTTP/1.1 204 No Content\r\n\r\n", false, 204, WIRE_NONE, 0, true},
        {"HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n", false, 304, WIRE_NONE, 9, true},
        {"HTTP/1.1 100 Continue\r\n\r\n", false, 100, WIRE_NONE, 0, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 200, WIRE_CHUNKED, 0,
         true},
        {"HTTP/1.1 200 OK\r\n\r\n", false, 200, WIRE_UNTIL_CLOSE, 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: Close\r\n\r\n", false, 200,
         WIRE_LENGTH, 1, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", false, 200, WIRE_LENGTH, 1, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", false, 200,
         WIRE_LENGTH, 1, true},
        {"HTTP/1.1 200 OK\r\nX: caf\xc3\xa9\tx\r\nContent-Length: 1\r\n\r\n", false, 200,
         WIRE_LENGTH, 1, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
        struct wire_head head;
        size_t size = http_wire_head_size(rows[i].bytes, strlen(rows[i].bytes));
        CHECK_INT(rows[i].bytes, size, strlen(rows[i].bytes));
        CHECK(rows[i].bytes,
              !http_wire_head_parse(rows[i].bytes, size, rows[i].is_bodiless, &arena, &head));
        CHECK_INT(rows[i].bytes, head.status, rows[i].status);
        CHECK_INT(rows[i].bytes, head.body, rows[i].body);
        CHECK_INT(rows[i].bytes, head.length, rows[i].length);
        CHECK_INT(rows[i].bytes, head.keep_alive, rows[i].keep_alive);
    }
    assert_int_equal(http_wire_head_size("HTTP/1.1 200 OK\r\n\r", 18), 0);
    assert_int_equal(http_wire_head_size("", 0), 0);
}

static void test_head_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 200 OK\nA: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\x01\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1,1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
        struct wire_head head = {.status = 7};
        _cleanup_(err_free) struct err *e =
            http_wire_head_parse(rows[i], strlen(rows[i]), false, &arena, &head);
        CHECK(rows[i], err_kind(e) == &ERR_UPSTREAM_UNAVAILABLE);
        CHECK_INT(rows[i], head.status, 7);
    }
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
    struct wire_head head;
    static const char with_nul[] = "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n";
    _cleanup_(err_free) struct err *e =
        http_wire_head_parse(with_nul, sizeof(with_nul) - 1, false, &arena, &head);
    assert_ptr_equal(err_kind(e), &ERR_UPSTREAM_UNAVAILABLE);
}

static void test_too_many_headers(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf bytes = BUF_INIT(65536);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(65536);
    buf_append_str(&bytes, "HTTP/1.1 204 OK\r\n");
    for (int i = 0; i < 129; i++)
        buf_append_str(&bytes, "A: b\r\n");
    buf_append_str(&bytes, "\r\n");
    struct wire_head head;
    _cleanup_(err_free) struct err *e =
        http_wire_head_parse(bytes.data, bytes.len, false, &arena, &head);
    assert_ptr_equal(err_kind(e), &ERR_UPSTREAM_UNAVAILABLE);
}

/* Every way to cut the bytes in two must give the same. */
static void test_chunks(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *body; /* NULL: refused */
        const char *rest;
    } rows[] = {
        {"0\r\n\r\n", "", ""},
        {"5\r\nhello\r\n0\r\n\r\n", "hello", ""},
        {"5\r\nhello\r\n06\r\n world\r\n000\r\n\r\n", "hello world", ""},
        {"A\r\n0123456789\r\n0\r\n\r\nrest", "0123456789", "rest"},
        {"a;x=y\r\n0123456789\r\n0;z\r\n\r\n", "0123456789", ""},
        {"1 \r\na\r\n0\r\n\r\n", "a", ""},
        {"1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n", "a", ""},
        {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", ""},
        {"\r\n", NULL, ""},
        {"x\r\n", NULL, ""},
        {"-1\r\n", NULL, ""},
        {"0x1\r\na\r\n0\r\n\r\n", NULL, ""},
        {"1\r\nab\r\n0\r\n\r\n", NULL, ""},
        {"1\ra\r\n", NULL, ""},
        {"1\na\r\n", NULL, ""},
        {"fffffffffffffff\r\n", NULL, ""},
        {"1000000000000000\r\n", NULL, ""},
        {"41\r\n", NULL, ""}, /* 65, and the body takes 64 */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].bytes);
        for (size_t cut = 0; cut <= len; cut++) {
            _cleanup_(buf_deinit) struct buf in = BUF_INIT(4096), body = BUF_INIT(64);
            struct wire_chunks chunks = {0};
            buf_append(&in, rows[i].bytes, cut);
            _cleanup_(err_free) struct err *e = http_wire_chunks(&chunks, &in, &body);
            if (!e) {
                buf_append(&in, rows[i].bytes + cut, len - cut);
                e = http_wire_chunks(&chunks, &in, &body);
            }
            if (!rows[i].body) {
                CHECK(rows[i].bytes, err_kind(e) == &ERR_UPSTREAM_UNAVAILABLE);
                continue;
            }
            CHECK(rows[i].bytes, !e);
            CHECK_INT(rows[i].bytes, chunks.place, WIRE_END);
            CHECK_STR(rows[i].bytes, buf_text(&body), rows[i].body);
            CHECK_STR(rows[i].bytes, buf_text(&in), rows[i].rest);
        }
    }
}

static void test_chunks_without_end(void **state)
{
    (void)state;
    static const char *const beginnings[] = {"1;", "0\r\nA: "};
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
        _cleanup_(buf_deinit) struct buf in = BUF_INIT(65536), body = BUF_INIT(64);
        struct wire_chunks chunks = {0};
        buf_append_str(&in, beginnings[i]);
        for (int n = 0; n < 10000; n++)
            buf_append_char(&in, 'x');
        _cleanup_(err_free) struct err *e = http_wire_chunks(&chunks, &in, &body);
        CHECK(beginnings[i], err_kind(e) == &ERR_UPSTREAM_UNAVAILABLE);
    }
}

static void test_url(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool is_tls;
        const char *host, *port, *authority, *target;
    } rows[] = {
        {"http://a", false, "a", "80", "a", ""},
        {"https://a/", true, "a", "443", "a", "/"},
        {"HTTP://a.b-c.d:8080/x?y=z", false, "a.b-c.d", "8080", "a.b-c.d:8080", "/x?y=z"},
        {"http://127.0.0.1:1?q", false, "127.0.0.1", "1", "127.0.0.1:1", "?q"},
        {"http://[::1]/", false, "::1", "80", "[::1]", "/"},
        {"https://[fe80::1]:8443/a", true, "fe80::1", "8443", "[fe80::1]:8443", "/a"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_url url;
        CHECK(rows[i].url, !http_url_parse(rows[i].url, &url));
        CHECK_INT(rows[i].url, url.is_tls, rows[i].is_tls);
        CHECK_STR(rows[i].url, url.host, rows[i].host);
        CHECK_STR(rows[i].url, url.port, rows[i].port);
        CHECK_STR(rows[i].url, url.authority, rows[i].authority);
        CHECK_STR(rows[i].url, url.target, rows[i].target);
    }
    static const char *const wrong[] = {
        "",
        "a",
        "ftp://a/",
        "http:/a",
        "http://",
        "http:///a",
        "http://a b/",
        "http://a/b#c",
        "http://a/\r\nX:",
        "http://u@a/",
        "http://a:/",
        "http://a:0/",
        "http://a:65536/",
        "http://a:8x/",
        "http://[::1/",
        "http://[]/",
        "http://::1/",
        "http://[::1]80/",
        "http://[x]/",
        "http://a/\xc3\xa9",
        "http://a\\b/",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct http_url url = {.is_tls = true};
        _cleanup_(err_free) struct err *e = http_url_parse(wrong[i], &url);
        CHECK(wrong[i], err_kind(e) == &ERR_INTERNAL);
        CHECK(wrong[i], url.is_tls);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_head_refused),
        cmocka_unit_test(test_too_many_headers),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_chunks_without_end),
        cmocka_unit_test(test_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
