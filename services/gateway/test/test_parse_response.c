#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "parse_response.h"

static void describe(const struct response *r, const char *base, enum parse_status status,
                     char *out, size_t cap)
{
    static const char *const bodies[] = {"none", "length", "chunked", "until close"};
    if (status == PARSE_MORE)
        snprintf(out, cap, "more");
    else if (status == PARSE_BAD)
        snprintf(out, cap, "bad%s", r->bad_detail ? "" : " without detail");
    else
        snprintf(out, cap, "%u '%.*s' body=%s:%lld %s", r->status, r->reason.len,
                 base + r->reason.at, bodies[r->body], (long long)r->content_length,
                 r->keep_alive ? "keep" : "close");
}

static void parse_split(const char *bytes, size_t len, size_t split, bool to_head, char *out,
                        size_t cap)
{
    struct response *response = calloc(1, sizeof(*response));
    char *first = malloc(split ? split : 1);
    char *all = malloc(len ? len : 1);
    memcpy(first, bytes, split);
    memcpy(all, bytes, len);
    enum parse_status status = response_parse(response, first, split, to_head);
    if (status == PARSE_MORE)
        status = response_parse(response, all, len, to_head);
    describe(response, all, status, out, cap);
    if (status == PARSE_DONE)
        assert_memory_equal(all + response->head_len - 4, "\r\n\r\n", 4);
    free(response);
    free(first);
    free(all);
}

#define OK11 "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *name;
    const char *bytes;
    const char *expected;
    bool to_head;
} rows[] = {
    {"length", OK11 "Content-Length: 2\r\n\r\nhi", "200 'OK' body=length:2 keep", false},
    {"chunked", OK11 "Transfer-Encoding: chunked\r\n\r\n", "200 'OK' body=chunked:-1 keep", false},
    {"until close", OK11 "\r\n", "200 'OK' body=until close:-1 close", false},
    {"close", OK11 "Connection: close\r\nContent-Length: 2\r\n\r\n", "200 'OK' body=length:2 close",
     false},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", "200 'OK' body=length:2 close",
     false},
    {"HTTP/1.0 keep-alive",
     "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n",
     "200 'OK' body=length:2 keep", false},
    {"no reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n", "200 '' body=length:2 keep", false},
    {"empty reason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n", "200 '' body=length:2 keep",
     false},
    {"long reason", "HTTP/1.1 404 It is not here\r\nContent-Length: 0\r\n\r\n",
     "404 'It is not here' body=length:0 keep", false},
    {"to HEAD", OK11 "Content-Length: 2\r\n\r\n", "200 'OK' body=none:2 keep", true},
    {"to HEAD, chunked", OK11 "Transfer-Encoding: chunked\r\n\r\n", "200 'OK' body=none:-1 keep",
     true},
    {"to HEAD, no length", OK11 "\r\n", "200 'OK' body=none:-1 keep", true},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", "204 'No Content' body=none:-1 keep", false},
    {"204 with length", "HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n", "204 'N' body=none:5 keep",
     false},
    {"304 with length", "HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n", "304 'N' body=none:5 keep",
     false},
    {"interim", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", "103 'Early' body=none:-1 keep", false},
    {"several cookies", OK11 "Set-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
     "200 'OK' body=length:0 keep", false},
    {"underscore", OK11 "X_A: b\r\nContent-Length: 0\r\n\r\n", "200 'OK' body=length:0 keep",
     false},
    {"names its own hops", OK11 "X: y\r\nConnection: x\r\nContent-Length: 0\r\n\r\n",
     "200 'OK' body=length:0 keep", false},

    {"switches unasked", "HTTP/1.1 101 Switching\r\n\r\n", "bad", false},
    {"both lengths", OK11 "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "bad", false},
    {"two lengths", OK11 "Content-Length: 2\r\nContent-Length: 2\r\n\r\n", "bad", false},
    {"signed length", OK11 "Content-Length: +2\r\n\r\n", "bad", false},
    {"huge length", OK11 "Content-Length: 99999999999999999999\r\n\r\n", "bad", false},
    {"other coding", OK11 "Transfer-Encoding: gzip\r\n\r\n", "bad", false},
    {"two codings", OK11 "Transfer-Encoding: gzip, chunked\r\n\r\n", "bad", false},
    {"HTTP/1.0 chunked", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "bad", false},
    {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "bad", false},
    {"HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", "bad", false},
    {"lower case", "http/1.1 200 OK\r\n\r\n", "bad", false},
    {"not HTTP", "220 mail.example ESMTP\r\n\r\n", "bad", false},
    {"two digits", "HTTP/1.1 20 OK\r\n\r\n", "bad", false},
    {"four digits", "HTTP/1.1 2000 OK\r\n\r\n", "bad", false},
    {"status 099", "HTTP/1.1 099 OK\r\n\r\n", "bad", false},
    {"status 600", "HTTP/1.1 600 OK\r\n\r\n", "bad", false},
    {"letters as status", "HTTP/1.1 2xx OK\r\n\r\n", "bad", false},
    {"no space", "HTTP/1.1-200 OK\r\n\r\n", "bad", false},
    {"control in the reason", "HTTP/1.1 200 O\aK\r\n\r\n", "bad", false},
    {"folded", OK11 "X: a\r\n b\r\n\r\n", "bad", false},
    {"space before colon", OK11 "X : a\r\n\r\n", "bad", false},
    {"LF alone", "HTTP/1.1 200 OK\n\n", "bad", false},
    {"CR in a value", OK11 "X: a\rb\r\n\r\n", "bad", false},
    {"names the length as a hop", OK11 "Connection: content-length\r\nContent-Length: 1\r\n\r\n",
     "bad", false},
    {"names an absent length as a hop", OK11 "Connection: content-length\r\n\r\n",
     "200 'OK' body=until close:-1 close", false},

    {"nothing", "", "more", false},
    {"half a status line", "HTTP/1.1 2", "more", false},
    {"no end", OK11 "X: y\r\n", "more", false},
};

static void answers_in_any_two_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].bytes);
        for (size_t split = 0; split <= len; split++) {
            char got[256];
            parse_split(rows[i].bytes, len, split, rows[i].to_head, got, sizeof(got));
            CHECK_STR(rows[i].name, got, rows[i].expected);
        }
    }
}

static void large_heads_are_refused(void **state)
{
    (void)state;
    static char bytes[HEAD_MAX + 100] = OK11 "X: ";
    size_t begin = strlen(bytes);
    memset(bytes + begin, 'a', sizeof(bytes) - begin);
    char got[256];
    parse_split(bytes, HEAD_MAX - 1, 0, false, got, sizeof(got));
    assert_string_equal(got, "more");
    parse_split(bytes, HEAD_MAX, 0, false, got, sizeof(got));
    assert_string_equal(got, "bad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_any_two_reads),
        cmocka_unit_test(large_heads_are_refused),
    };
    return cmocka_run_group_tests_name("parse_response", tests, NULL, NULL);
}
