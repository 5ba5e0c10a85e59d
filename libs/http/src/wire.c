#include "wire.h"

#include <string.h>

#include <base/str.h>

#include "framing.h"

#define HEADERS_MAX  128
#define LINE_MAX     1024 /* of a chunk's size and extensions */
#define TRAILERS_MAX ((size_t)8 << 10)

static struct err *malformed(const char *what)
{
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the answer's %s is malformed", what);
}

size_t http_wire_head_size(const char *bytes, size_t len)
{
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);
    return end ? (size_t)(end - bytes) + 4 : 0;
}

/* HTTP/1.x NNN reason */
static struct err *parse_status_line(const char *line, int *out_minor, int *out_status)
{
    bool is_fine = strncmp(line, "HTTP/1.", 7) == 0 && (line[7] == '0' || line[7] == '1') &&
                   line[8] == ' ' && strspn(line + 9, "0123456789") == 3 &&
                   (line[12] == ' ' || line[12] == '\0') && line[9] != '0';
    if (!is_fine)
        return malformed("status line");
    *out_minor = line[7] - '0';
    *out_status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    return NULL;
}

static struct err *parse_header(char *line, struct http_header_pair *out)
{
    char *colon = strchr(line, ':');
    if (!colon)
        return malformed("header");
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        value[--len] = '\0';
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
            return malformed("header");
    if (!http_is_token(line))
        return malformed("header");
    *out = (struct http_header_pair){line, value};
    return NULL;
}

static const char *find(const struct wire_head *head, const char *name, size_t *out_count)
{
    const char *value = NULL;
    *out_count = 0;
    for (size_t i = 0; i < head->header_count; i++)
        if (str_equal_nocase(head->headers[i].name, name) && (*out_count)++ == 0)
            value = head->headers[i].value;
    return value;
}

static struct err *find_body(struct wire_head *head, int minor, bool is_bodiless)
{
    size_t lengths, codings;
    const char *length = find(head, "Content-Length", &lengths);
    const char *coding = find(head, "Transfer-Encoding", &codings);
    int64_t value = 0;
    if (lengths > 1 || codings > 1 || (length && coding))
        return malformed("framing");
    if (coding && (minor == 0 || !str_equal_nocase(coding, "chunked")))
        return malformed("Transfer-Encoding");
    if (length && !parse_i64(length, 0, INT64_MAX / 2, &value))
        return malformed("Content-Length");
    head->length = (size_t)value;
    if (is_bodiless || head->status < 200 || head->status == 204 || head->status == 304)
        head->body = WIRE_NONE;
    else
        head->body = coding ? WIRE_CHUNKED : length ? WIRE_LENGTH : WIRE_UNTIL_CLOSE;
    return NULL;
}

static bool may_be_kept(const struct wire_head *head, int minor)
{
    size_t count;
    const char *connection = find(head, "Connection", &count);
    if (head->body == WIRE_UNTIL_CLOSE || count > 1)
        return false;
    if (connection && http_list_has(connection, "close"))
        return false;
    return minor == 1 || (connection && http_list_has(connection, "keep-alive"));
}

/* The next line of *rest, its CR LF replaced by a NUL; a bare CR or LF or a NUL is none. */
static char *next_line(char **rest, const char *end)
{
    char *line = *rest;
    char *line_end = memmem(line, (size_t)(end - line), "\r\n", 2);
    if (!line_end || memchr(line, '\0', (size_t)(line_end - line)))
        return NULL;
    *line_end = '\0';
    *rest = line_end + 2;
    return strpbrk(line, "\r\n") ? NULL : line;
}

struct err *http_wire_head_parse(const char *bytes, size_t len, bool is_bodiless,
                                 struct arena *arena, struct wire_head *out_head)
{
    struct wire_head head = {0};
    char *rest = arena_strndup(arena, bytes, len);
    head.headers = arena_calloc(arena, HEADERS_MAX, sizeof(head.headers[0]));
    if (!rest || !head.headers)
        return err_oom();
    const char *end = rest + len;
    int minor = 0;
    char *line = next_line(&rest, end);
    if (!line)
        return malformed("status line");
    TRY(parse_status_line(line, &minor, &head.status));
    while ((line = next_line(&rest, end)) && line[0] != '\0') {
        if (head.header_count == HEADERS_MAX)
            return malformed("header section");
        TRY(parse_header(line, &head.headers[head.header_count]));
        head.header_count++;
    }
    if (!line || rest != end)
        return malformed("header section");
    TRY(find_body(&head, minor, is_bodiless));
    head.keep_alive = may_be_kept(&head, minor);
    *out_head = head;
    return NULL;
}

/* --- chunks --- */

static struct err *parse_size(const char *line, size_t len, size_t *out_size)
{
    size_t size = 0, digits = 0;
    for (; digits < len && digits < 15; digits++) {
        char c = line[digits];
        char lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            size = size * 16 + (size_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            size = size * 16 + (size_t)(lower - 'a') + 10;
        else
            break;
    }
    size_t end = digits; /* bad white space may stand before extensions (RFC 9112 section 7.1.1) */
    while (end < len && (line[end] == ' ' || line[end] == '\t'))
        end++;
    bool is_whole = end == len || line[end] == ';';
    if (digits == 0 || !is_whole || memchr(line, '\r', len) || memchr(line, '\n', len))
        return malformed("chunk size");
    *out_size = size;
    return NULL;
}

/* A line of in, without its CR LF; false when it is not whole yet. */
static bool peek_line(const struct buf *in, size_t *out_len)
{
    const char *end = in->len > 0 ? memmem(in->data, in->len, "\r\n", 2) : NULL;
    *out_len = end ? (size_t)(end - in->data) : in->len;
    return end;
}

static struct err *take_size(struct wire_chunks *chunks, struct buf *in, bool *out_moved)
{
    size_t len;
    *out_moved = peek_line(in, &len);
    if (len > LINE_MAX)
        return malformed("chunk size");
    if (!*out_moved)
        return NULL;
    TRY(parse_size(in->data, len, &chunks->left));
    buf_consume(in, len + 2);
    chunks->place = chunks->left > 0 ? WIRE_DATA : WIRE_TRAILER;
    return NULL;
}

static struct err *take_data(struct wire_chunks *chunks, struct buf *in, struct buf *body,
                             bool *out_moved)
{
    size_t count = MIN(chunks->left, in->len);
    *out_moved = count > 0;
    if (chunks->left > body->max - body->len)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "the answer has more than %zu bytes", body->max);
    if (count > 0 && !buf_append(body, in->data, count))
        return err_oom();
    buf_consume(in, count);
    chunks->left -= count;
    if (chunks->left == 0)
        chunks->place = WIRE_DATA_END;
    return NULL;
}

static struct err *take_data_end(struct wire_chunks *chunks, struct buf *in, bool *out_moved)
{
    *out_moved = in->len >= 2;
    if (!*out_moved)
        return NULL;
    if (memcmp(in->data, "\r\n", 2) != 0)
        return malformed("chunk");
    buf_consume(in, 2);
    chunks->place = WIRE_SIZE_LINE;
    return NULL;
}

/* Read over: nothing in them is of use here. */
static struct err *take_trailer(struct wire_chunks *chunks, struct buf *in, bool *out_moved)
{
    size_t len;
    *out_moved = peek_line(in, &len);
    if (chunks->trailers + len > TRAILERS_MAX)
        return malformed("trailer");
    if (!*out_moved)
        return NULL;
    chunks->trailers += len;
    buf_consume(in, len + 2);
    if (len == 0)
        chunks->place = WIRE_END;
    return NULL;
}

struct err *http_wire_chunks(struct wire_chunks *chunks, struct buf *in, struct buf *body)
{
    bool has_moved = true;
    while (has_moved && chunks->place != WIRE_END) {
        switch (chunks->place) {
        case WIRE_SIZE_LINE:
            TRY(take_size(chunks, in, &has_moved));
            break;
        case WIRE_DATA:
            TRY(take_data(chunks, in, body, &has_moved));
            break;
        case WIRE_DATA_END:
            TRY(take_data_end(chunks, in, &has_moved));
            break;
        case WIRE_TRAILER:
            TRY(take_trailer(chunks, in, &has_moved));
            break;
        case WIRE_END:
            break;
        }
    }
    return NULL;
}
