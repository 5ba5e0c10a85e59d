#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include <base/buf.h>

#include "parse_request.h"
#include "slab.h"

#define BYTES_MAX 32768

/* --- what a parse came to, as text --- */

static void describe(const struct request *r, const char *base, enum parse_status status, char *out,
                     size_t cap)
{
    static const char *const bodies[] = {"none", "length", "chunked", "until close"};
    if (status == PARSE_MORE) {
        snprintf(out, cap, "more");
        return;
    }
    if (status == PARSE_BAD) {
        snprintf(out, cap, "%s", r->bad_kind->slug);
        return;
    }
    snprintf(out, cap, "%.*s %.*s %.*s host=%.*s body=%s:%lld %s%s rest=%u", r->method.len,
             base + r->method.at, r->target.path.len, base + r->target.path.at, r->target.query.len,
             base + r->target.query.at, r->host.len, base + r->host.at, bodies[r->body],
             (long long)r->content_length, r->keep_alive ? "keep" : "close",
             r->expects_continue ? " expect" : "", r->head_len);
}

/* Gives the parser the bytes in two reads, the second one beginning at split. */
static void parse_split(const char *bytes, size_t len, size_t split, char *out, size_t cap)
{
    /* On the heap and no longer than what has arrived, so that ASan sees a look ahead. */
    struct request *request = calloc(1, sizeof(*request));
    char *first = malloc(split ? split : 1);
    char *all = malloc(len ? len : 1);
    memcpy(first, bytes, split);
    enum parse_status status = request_parse(request, first, split);
    memcpy(all, first, split);
    memcpy(all + split, bytes + split, len - split);
    if (status == PARSE_MORE)
        status = request_parse(request, all, len);
    describe(request, all, status, out, cap);
    free(request);
    free(first);
    free(all);
}

static void parse_bytewise(const char *bytes, size_t len, char *out, size_t cap)
{
    struct request *request = calloc(1, sizeof(*request));
    char *all = malloc(len);
    memcpy(all, bytes, len);
    enum parse_status status = PARSE_MORE;
    for (size_t i = 1; i <= len && status == PARSE_MORE; i++)
        status = request_parse(request, all, i);
    describe(request, all, status, out, cap);
    free(request);
    free(all);
}

/* --- the table --- */

#define H11   " HTTP/1.1\r\nHost: h\r\n"
#define GET11 "GET / HTTP/1.1\r\n"

struct row {
    const char *name;
    const char *bytes;
    const char *expected; /* of a complete head: everything before " rest=" */
};

static const struct row rows[] = {
    /* what is fine */
    {"plain", "GET /a" H11 "\r\n", "GET /a  host=h body=none:0 keep"},
    {"query", "GET /a?b=c&d=%20" H11 "\r\n", "GET /a ?b=c&d=%20 host=h body=none:0 keep"},
    {"empty query", "GET /a?" H11 "\r\n", "GET /a ? host=h body=none:0 keep"},
    {"question mark in the query", "GET /?a?b" H11 "\r\n", "GET / ?a?b host=h body=none:0 keep"},
    {"odd but legal query", "GET /?[x]|{y}^`\"<>\\" H11 "\r\n",
     "GET / ?[x]|{y}^`\"<>\\ host=h body=none:0 keep"},
    {"one empty line before", "\r\nGET /" H11 "\r\n", "GET /  host=h body=none:0 keep"},
    {"unknown method", "BREW /" H11 "\r\n", "BREW /  host=h body=none:0 keep"},
    {"lower-case method is another one", "get /" H11 "\r\n", "get /  host=h body=none:0 keep"},
    {"method of all token characters", "M!#$%&'*+-.^_`|~09 /" H11 "\r\n",
     "M!#$%&'*+-.^_`|~09 /  host=h body=none:0 keep"},
    {"longest method", "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM /" H11 "\r\n",
     "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM /  host=h body=none:0 keep"},
    {"options of the server", "OPTIONS *" H11 "\r\n", "OPTIONS *  host=h body=none:0 keep"},
    {"no space after the colon", GET11 "Host:h\r\n\r\n", "GET /  host=h body=none:0 keep"},
    {"much space around the value", GET11 "Host: \t h \t \r\n\r\n",
     "GET /  host=h body=none:0 keep"},
    {"empty value", GET11 "Host: h\r\nX:\r\n\r\n", "GET /  host=h body=none:0 keep"},
    {"obs-text in a value", GET11 "Host: h\r\nX: \xc3\xa9\xff\r\n\r\n",
     "GET /  host=h body=none:0 keep"},
    {"colon in a value", GET11 "Host: h\r\nX: a:b::\r\n\r\n", "GET /  host=h body=none:0 keep"},
    {"name of all token characters", GET11 "Host: h\r\n!#$%&'*+-.^`|~09aZ: x\r\n\r\n",
     "GET /  host=h body=none:0 keep"},

    /* versions */
    {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET /  host= body=none:0 close"},
    {"HTTP/1.0 with keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     "GET /  host= body=none:0 keep"},
    {"HTTP/1.0 with host", "GET / HTTP/1.0\r\nHost: h\r\n\r\n", "GET /  host=h body=none:0 close"},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", "http_version_not_supported"},
    {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "http_version_not_supported"},
    {"HTTP/0.9", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", "http_version_not_supported"},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http_version_not_supported"},
    {"no version", "GET /\r\n\r\n", "bad_request"},
    {"lower-case version", "GET / http/1.1\r\nHost: h\r\n\r\n", "bad_request"},
    {"long version", "GET / HTTP/1.10\r\nHost: h\r\n\r\n", "bad_request"},
    {"short version", "GET / HTTP/1\r\nHost: h\r\n\r\n", "bad_request"},
    {"letters as version", "GET / HTTP/x.y\r\nHost: h\r\n\r\n", "bad_request"},
    {"other protocol", "GET / ICAP/1.0\r\nHost: h\r\n\r\n", "bad_request"},

    /* request lines */
    {"two empty lines before", "\r\n\r\nGET /" H11 "\r\n", "bad_request"},
    {"space before the method", " GET /" H11 "\r\n", "bad_request"},
    {"two spaces after the method", "GET  /" H11 "\r\n", "bad_request"},
    {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request"},
    {"space after the version", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "bad_request"},
    {"tab as separator", "GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\n", "bad_request"},
    {"space in the target", "GET /a b" H11 "\r\n", "bad_request"},
    {"only a method", "GET\r\n\r\n", "bad_request"},
    {"method is no token", "G(T /" H11 "\r\n", "bad_request"},
    {"control character in the method", "G\001T /" H11 "\r\n", "bad_request"},
    {"method too long", "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM /" H11 "\r\n", "*"},
    {"TLS", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03", "bad_request"},
    {"SSH", "SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "bad_request"},
    {"connect", "CONNECT h:443" H11 "\r\n", "not_implemented"},
    {"trace", "TRACE /" H11 "\r\n", "not_implemented"},

    /* line ends */
    {"LF alone after the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", "bad_request"},
    {"LF alone after a field", GET11 "Host: h\nX: y\r\n\r\n", "bad_request"},
    {"LF alone as last line", GET11 "Host: h\r\n\n", "bad_request"},
    {"LF first", "\nGET /" H11 "\r\n", "bad_request"},
    {"CR in a value", GET11 "Host: h\r\nX: a\rb\r\n\r\n", "bad_request"},
    {"CR CR LF", GET11 "Host: h\r\r\n\r\n", "bad_request"},
    {"CR in the request line", "GET /\r HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request"},
    {"CR before the name", GET11 "\rHost: h\r\n\r\n", "bad_request"},

    /* field lines */
    {"space before the colon", GET11 "Host : h\r\n\r\n", "bad_request"},
    {"tab before the colon", GET11 "Host\t: h\r\n\r\n", "bad_request"},
    {"folded", GET11 "Host: h\r\nX: a\r\n b\r\n\r\n", "bad_request"},
    {"folded with a tab", GET11 "Host: h\r\nX: a\r\n\tb\r\n\r\n", "bad_request"},
    {"space before the first field", GET11 " Host: h\r\n\r\n", "bad_request"},
    {"no colon", GET11 "Host: h\r\nX\r\n\r\n", "bad_request"},
    {"no name", GET11 "Host: h\r\n: x\r\n\r\n", "bad_request"},
    {"underscore in a name", GET11 "Host: h\r\nX_User_Id: 1\r\n\r\n", "bad_request"},
    {"star for GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request"},
    {"obs-text in a name", GET11 "Host: h\r\nX\xc3: 1\r\n\r\n", "bad_request"},
    {"quote in a name", GET11 "Host: h\r\n\"X\": 1\r\n\r\n", "bad_request"},
    {"vertical tab in a value", GET11 "Host: h\r\nX: a\vb\r\n\r\n", "bad_request"},
    {"DEL in a value", GET11 "Host: h\r\nX: a\x7f\r\n\r\n", "bad_request"},
    {"escape in a value", GET11 "Host: h\r\nX: a\x1b[2J\r\n\r\n", "bad_request"},

    /* targets: more of them in test_target.c */
    {"no slash", "GET a" H11 "\r\n", "bad_request"},
    {"dots", "GET /a/../b" H11 "\r\n", "bad_request"},
    {"fragment", "GET /a#b" H11 "\r\n", "bad_request"},
    {"absolute form", "GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n",
     "GET /a ?b host=h body=none:0 keep"},
    {"absolute form in other case", "GET HTTP://H/a HTTP/1.1\r\nHost: h\r\n\r\n",
     "GET /a  host=h body=none:0 keep"},
    {"absolute form without path", "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n",
     "GET /  host=h body=none:0 keep"},
    {"absolute form with query only", "GET https://h?q HTTP/1.1\r\nHost: h\r\n\r\n",
     "GET / ?q host=h body=none:0 keep"},
    {"absolute form of another host", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", "bad_request"},
    {"absolute form of another port", "GET http://h:81/ HTTP/1.1\r\nHost: h:80\r\n\r\n",
     "bad_request"},
    {"absolute form with user", "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request"},
    {"absolute form without host", "GET http:/// HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request"},
    {"absolute form of another scheme", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "bad_request"},
    {"absolute form, HTTP/1.0", "GET http://h/a HTTP/1.0\r\n\r\n",
     "GET /a  host=h body=none:0 close"},

    /* Host */
    {"no Host", GET11 "\r\n", "bad_request"},
    {"two Hosts", GET11 "Host: h\r\nHost: h\r\n\r\n", "bad_request"},
    {"empty Host", GET11 "Host:\r\n\r\n", "bad_request"},
    {"Host with port", GET11 "Host: a.b-c_d:8080\r\n\r\n",
     "GET /  host=a.b-c_d:8080 body=none:0 keep"},
    {"Host with empty port", GET11 "Host: h:\r\n\r\n", "bad_request"},
    {"Host with large port", GET11 "Host: h:65536\r\n\r\n", "bad_request"},
    {"Host is IPv6", GET11 "Host: [::1]:80\r\n\r\n", "GET /  host=[::1]:80 body=none:0 keep"},
    {"Host is half an IPv6", GET11 "Host: [::1\r\n\r\n", "bad_request"},
    {"Host with path", GET11 "Host: h/x\r\n\r\n", "bad_request"},
    {"Host with user", GET11 "Host: u@h\r\n\r\n", "bad_request"},
    {"Host with space", GET11 "Host: a b\r\n\r\n", "bad_request"},
    {"Host list", GET11 "Host: a, b\r\n\r\n", "bad_request"},

    /* framing */
    {"length", "POST /" H11 "Content-Length: 5\r\n\r\nhello", "POST /  host=h body=length:5 keep"},
    {"length of a GET", "GET /" H11 "Content-Length: 5\r\n\r\n",
     "GET /  host=h body=length:5 keep"},
    {"length 0", "POST /" H11 "Content-Length: 0\r\n\r\n", "POST /  host=h body=length:0 keep"},
    {"length with leading zeros", "POST /" H11 "Content-Length: 007\r\n\r\n",
     "POST /  host=h body=length:7 keep"},
    {"largest length", "POST /" H11 "Content-Length: 999999999999999999\r\n\r\n",
     "POST /  host=h body=length:999999999999999999 keep"},
    {"too many digits", "POST /" H11 "Content-Length: 1000000000000000000\r\n\r\n", "bad_request"},
    {"empty length", "POST /" H11 "Content-Length:\r\n\r\n", "bad_request"},
    {"signed length", "POST /" H11 "Content-Length: +5\r\n\r\n", "bad_request"},
    {"negative length", "POST /" H11 "Content-Length: -5\r\n\r\n", "bad_request"},
    {"hexadecimal length", "POST /" H11 "Content-Length: 0x5\r\n\r\n", "bad_request"},
    {"fractional length", "POST /" H11 "Content-Length: 5.0\r\n\r\n", "bad_request"},
    {"space in the length", "POST /" H11 "Content-Length: 5 5\r\n\r\n", "bad_request"},
    {"length list", "POST /" H11 "Content-Length: 5, 5\r\n\r\n", "bad_request"},
    {"differing lengths", "POST /" H11 "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
     "bad_request"},
    {"equal lengths", "POST /" H11 "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "bad_request"},
    {"chunked", "POST /" H11 "Transfer-Encoding: chunked\r\n\r\n",
     "POST /  host=h body=chunked:0 keep"},
    {"chunked in other case", "POST /" H11 "transfer-encoding: CHUNKED\r\n\r\n",
     "POST /  host=h body=chunked:0 keep"},
    {"length and chunked", "POST /" H11 "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     "bad_request"},
    {"chunked and length", "POST /" H11 "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
     "bad_request"},
    {"two codings", "POST /" H11 "Transfer-Encoding: gzip, chunked\r\n\r\n", "not_implemented"},
    {"coding after chunked", "POST /" H11 "Transfer-Encoding: chunked, gzip\r\n\r\n",
     "not_implemented"},
    {"chunked twice", "POST /" H11 "Transfer-Encoding: chunked, chunked\r\n\r\n",
     "not_implemented"},
    {"chunked in two lines",
     "POST /" H11 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     "bad_request"},
    {"identity", "POST /" H11 "Transfer-Encoding: identity\r\n\r\n", "not_implemented"},
    {"something like chunked", "POST /" H11 "Transfer-Encoding: xchunked\r\n\r\n",
     "not_implemented"},
    {"chunked with a parameter", "POST /" H11 "Transfer-Encoding: chunked;q=1\r\n\r\n",
     "not_implemented"},
    {"quoted chunked", "POST /" H11 "Transfer-Encoding: \"chunked\"\r\n\r\n", "not_implemented"},
    {"vertical tab before chunked", "POST /" H11 "Transfer-Encoding: \vchunked\r\n\r\n",
     "bad_request"},
    {"empty coding", "POST /" H11 "Transfer-Encoding:\r\n\r\n", "bad_request"},
    {"HTTP/1.0 chunked", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_request"},

    /* fields that may stand once */
    {"two authorizations", "GET /" H11 "Authorization: a\r\nauthorization: b\r\n\r\n",
     "bad_request"},
    {"two request ids", "GET /" H11 "X-Request-Id: a\r\nX-Request-Id: b\r\n\r\n", "bad_request"},
    {"two content types", "GET /" H11 "Content-Type: a\r\nContent-Type: b\r\n\r\n", "bad_request"},
    {"two idempotency keys", "GET /" H11 "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n",
     "bad_request"},
    {"two trace parents", "GET /" H11 "traceparent: a\r\ntraceparent: b\r\n\r\n", "bad_request"},
    {"two expects", "GET /" H11 "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n",
     "bad_request"},
    {"two of another", "GET /" H11 "Accept: a\r\nAccept: b\r\n\r\n",
     "GET /  host=h body=none:0 keep"},

    /* Connection, Expect */
    {"close", "GET /" H11 "Connection: close\r\n\r\n", "GET /  host=h body=none:0 close"},
    {"close among others", "GET /" H11 "Connection: x, ClOsE ,y\r\n\r\n",
     "GET /  host=h body=none:0 close"},
    {"close in a second line", "GET /" H11 "Connection: keep-alive\r\nConnection: close\r\n\r\n",
     "GET /  host=h body=none:0 close"},
    {"keep-alive", "GET /" H11 "Connection: keep-alive\r\n\r\n", "GET /  host=h body=none:0 keep"},
    {"close and keep-alive, HTTP/1.0", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
     "GET /  host= body=none:0 close"},
    {"upgrade is no error", "GET /" H11 "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
     "GET /  host=h body=none:0 keep"},
    {"names a field of the other end",
     "GET /" H11 "Authorization: a\r\nConnection: authorization\r\n\r\n", "bad_request"},
    {"names Host", "GET /" H11 "Connection: host\r\n\r\n", "bad_request"},
    {"names the length", "POST /" H11 "Content-Length: 5\r\nConnection: content-length\r\n\r\n",
     "bad_request"},
    {"names very much", "GET /" H11 "Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n\r\n",
     "bad_request"},
    {"expects", "POST /" H11 "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n",
     "POST /  host=h body=length:5 keep expect"},
    {"expects something else", "POST /" H11 "Expect: x\r\nContent-Length: 5\r\n\r\n",
     "POST /  host=h body=length:5 keep"},
    {"expects, HTTP/1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
     "POST /  host= body=length:5 close"},

    /* incomplete */
    {"nothing", "", "more"},
    {"half a method", "GE", "more"},
    {"half a target", "GET /abc", "more"},
    {"no field yet", GET11, "more"},
    {"last line without LF", "GET /" H11 "\r", "more"},
};

/* "*": whichever way it is cut, some refusal. */
static bool is_expected(const struct row *row, size_t len, const char *got)
{
    char expected[BYTES_MAX];
    if (strcmp(row->expected, "*") == 0)
        return strcmp(got, "bad_request") == 0 || strcmp(got, "not_implemented") == 0;
    const char *body = strstr(row->bytes, "\r\n\r\n");
    if (strchr(row->expected, '=') && body)
        snprintf(expected, sizeof(expected), "%s rest=%zu", row->expected,
                 (size_t)(body - row->bytes) + 4);
    else
        snprintf(expected, sizeof(expected), "%s", row->expected);
    (void)len;
    return strcmp(got, expected) == 0;
}

static void heads_in_any_two_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        size_t len = strlen(row->bytes);
        char got[1024];
        for (size_t split = 0; split <= len; split++) {
            parse_split(row->bytes, len, split, got, sizeof(got));
            if (!is_expected(row, len, got))
                fail_msg("%s, split at %zu: %s, not %s", row->name, split, got, row->expected);
        }
        if (len == 0)
            continue;
        parse_bytewise(row->bytes, len, got, sizeof(got));
        if (!is_expected(row, len, got))
            fail_msg("%s, byte by byte: %s, not %s", row->name, got, row->expected);
    }
}

/* --- every byte in every place --- */

static void parse_with_byte(const char *before, unsigned byte, const char *after, char *out,
                            size_t cap)
{
    char bytes[256];
    int len = snprintf(bytes, sizeof(bytes), "%s?%s", before, after);
    bytes[strlen(before)] = (char)byte;
    parse_split(bytes, (size_t)len, 0, out, cap);
}

static void each_byte_in_each_place(void **state)
{
    (void)state;
    static const char token[] =
        "!#$%&'*+-.^`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char path[] = "!$&'()*+,-./:;=@_~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz?";
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[32], got[512];
        snprintf(name, sizeof(name), "byte 0x%02x", byte);
        bool is_control = byte < 0x20 || byte == 0x7f;
        bool is_token = byte && strchr(token, (int)byte);

        parse_with_byte("G", byte, "T /" H11 "\r\n", got, sizeof(got));
        CHECK(name, (strncmp(got, "G", 1) == 0) == (is_token || byte == '_'));
        parse_with_byte("GET /a", byte, "b" H11 "\r\n", got, sizeof(got));
        CHECK(name, (strncmp(got, "GET", 3) == 0) == (byte && strchr(path, (int)byte)));
        parse_with_byte("GET /?a", byte, "b" H11 "\r\n", got, sizeof(got));
        CHECK(name, (strncmp(got, "GET", 3) == 0) == (byte > 0x20 && byte < 0x7f && byte != '#'));
        parse_with_byte("GET /" H11 "X", byte, "y: z\r\n\r\n", got, sizeof(got));
        CHECK(name, (strncmp(got, "GET", 3) == 0) == (is_token || byte == ':'));
        parse_with_byte("GET /" H11 "X: y", byte, "z\r\n\r\n", got, sizeof(got));
        CHECK(name, (strncmp(got, "GET", 3) == 0) == (!is_control || byte == '\t'));
        parse_with_byte("GET / HTTP/1.1\r\nHost: a", byte, "1\r\n\r\n", got, sizeof(got));
        bool in_host = (byte < 0x80 && byte && strchr(token + 14, (int)byte)) || byte == '-' ||
                       byte == '.' || byte == '_' || byte == ':';
        CHECK(name, (strncmp(got, "GET", 3) == 0) == in_host);
    }
}

/* --- limits --- */

static void fill(char bytes[static BYTES_MAX], const char *before, size_t count, const char *after,
                 size_t *out_len)
{
    *out_len = (size_t)snprintf(bytes, BYTES_MAX, "%s%*s%s", before, (int)count, "", after);
    memset(bytes + strlen(before), 'a', count);
}

static void limits_of_target_and_head(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *before, *after;
        size_t count;
        const char *expected; /* begins with it */
    } cases[] = {
        {"longest target", "GET /", H11 "\r\n", TARGET_MAX - 1, "GET /aaa"},
        {"target too long", "GET /", H11 "\r\n", TARGET_MAX, "uri_too_long"},
        {"16 KB target", "GET /", H11 "\r\n", 16384, "uri_too_long"},
        {"target without end", "GET /", "", 9000, "uri_too_long"},
        {"method without end", "", "", 9000, "bad_request"},
        {"largest head", "GET / HTTP/1.1\r\nHost: h\r\nX: ", "\r\n\r\n", HEAD_MAX - 32, "GET /"},
        {"head too large", "GET / HTTP/1.1\r\nHost: h\r\nX: ", "\r\n\r\n", HEAD_MAX - 31,
         "headers_too_large"},
        {"field without end", "GET / HTTP/1.1\r\nHost: h\r\nX: ", "", 20000, "headers_too_large"},
        {"largest but one, not ended", "GET / HTTP/1.1\r\nHost: h\r\nX: ", "", HEAD_MAX - 29,
         "more"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char bytes[BYTES_MAX], got[BYTES_MAX];
        size_t len;
        fill(bytes, cases[i].before, cases[i].count, cases[i].after, &len);
        for (size_t split = 0; split < len; split += 997) {
            parse_split(bytes, len, split, got, sizeof(got));
            if (strncmp(got, cases[i].expected, strlen(cases[i].expected)) != 0)
                fail_msg("%s, split at %zu: %.60s", cases[i].name, split, got);
        }
    }
}

static void number_of_fields_is_limited(void **state)
{
    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        char got[512];
        _cleanup_(buf_deinit) struct buf bytes = BUF_INIT(BYTES_MAX);
        buf_append_str(&bytes, "GET /" H11);
        for (unsigned i = 0; i < FIELDS_MAX - 1 + extra; i++)
            buf_append_str(&bytes, "X: y\r\n");
        buf_append_str(&bytes, "\r\n");
        parse_split(bytes.data, bytes.len, 0, got, sizeof(got));
        CHECK("fields", (strcmp(got, "headers_too_large") == 0) == (extra == 1));
    }
}

/* --- what a pipeline leaves --- */

static void stops_at_the_end_of_the_head(void **state)
{
    (void)state;
    char bytes[] = "GET /a" H11 "\r\nGET /b" H11 "\r\n";
    struct request request = {0};
    assert_int_equal(request_parse(&request, bytes, sizeof(bytes) - 1), PARSE_DONE);
    assert_int_equal(request.head_len, (sizeof(bytes) - 1) / 2);
    assert_memory_equal(bytes + request.head_len, "GET /b", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_in_any_two_reads),
        cmocka_unit_test(each_byte_in_each_place),
        cmocka_unit_test(limits_of_target_and_head),
        cmocka_unit_test(number_of_fields_is_limited),
        cmocka_unit_test(stops_at_the_end_of_the_head),
    };
    return cmocka_run_group_tests_name("parse_request", tests, NULL, NULL);
}
