#include "parse_request.h"

#include <string.h>

#include "chars.h"

#define LINE_ROOM                                                                                  \
    (METHOD_MAX + 1 + TARGET_MAX + (int)sizeof(" HTTP/1.1\r\n")) /* of the request line */

static enum parse_status refuse(struct request *request, const struct err_kind *kind,
                                const char *detail)
{
    request->bad_kind = kind;
    request->bad_detail = detail;
    return PARSE_BAD;
}

static enum parse_status refuse_bad(struct request *request, const char *detail)
{
    return refuse(request, &ERR_BAD_REQUEST, detail);
}

bool request_method_is(const struct request *request, const char *base, struct str method)
{
    return request->method.len == method.len &&
           memcmp(base + request->method.at, method.data, method.len) == 0;
}

/* Garbage is answered before its line ends: what has come so far could not become a request line.
 */
static enum parse_status check_unfinished_line(struct request *request, const char *base,
                                               size_t len)
{
    const char *line = base + request->lines.line;
    size_t line_len = len - request->lines.line;
    size_t i = 0;
    while (i < line_len && i <= METHOD_MAX && char_is(line[i], CHAR_TOKEN))
        i++;
    bool may_end_here = i < line_len ? line[i] == ' ' && i > 0 : i <= METHOD_MAX;
    bool is_first_cr = line_len == 1 && line[0] == '\r' && !request->has_skipped_line;
    if (!may_end_here && !is_first_cr)
        return refuse_bad(request, "this is not an HTTP request");
    if (line_len > LINE_ROOM)
        return refuse(request, &ERR_URI_TOO_LONG, "the request line is too long");
    return PARSE_MORE;
}

static enum parse_status parse_version(struct request *request, struct str version)
{
    if (version.len != 8 || memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.')
        return refuse_bad(request, "the request line is malformed");
    char major = version.data[5], minor = version.data[7];
    if (major < '0' || major > '9' || minor < '0' || minor > '9')
        return refuse_bad(request, "the request line is malformed");
    if (major != '1' || minor > '1')
        return refuse(request, &ERR_VERSION_NOT_SUPPORTED, "only HTTP/1.0 and 1.1 are spoken here");
    request->minor = (uint8_t)(minor - '0');
    return PARSE_MORE;
}

/* method SP request-target SP HTTP-version, with exactly one space between. */
static enum parse_status parse_request_line(struct request *request, char *base, struct span line)
{
    const char *text = base + line.at;
    const char *first = memchr(text, ' ', line.len);
    const char *last = memrchr(text, ' ', line.len);
    size_t method_len = first ? (size_t)(first - text) : 0;
    if (method_len == 0 || first == last || !chars_are(text, method_len, CHAR_TOKEN))
        return refuse_bad(request, "the request line is malformed");
    const char *end = text + line.len;
    struct str version = {last + 1, (size_t)(end - last - 1)};
    if (parse_version(request, version) == PARSE_BAD)
        return PARSE_BAD;
    if (method_len > METHOD_MAX)
        return refuse(request, &ERR_NOT_IMPLEMENTED, "no method has so long a name");
    request->method = (struct span){line.at, (uint16_t)method_len};
    size_t target_len = (size_t)(last - first - 1);
    if (target_len > TARGET_MAX)
        return refuse(request, &ERR_URI_TOO_LONG, "the request target is too long");
    /* Tunnels and loop-backs are not for a gateway (RFC 9110 sections 9.3.6 and 9.3.8). */
    if (request_method_is(request, base, STR("CONNECT")) ||
        request_method_is(request, base, STR("TRACE")))
        return refuse(request, &ERR_NOT_IMPLEMENTED, "the method is not known here");
    struct span target = {(uint16_t)(first + 1 - base), (uint16_t)target_len};
    if (target_len == 1 && first[1] == '*' && !request_method_is(request, base, STR("OPTIONS")))
        return refuse_bad(request, "the request target * is for OPTIONS alone");
    const char *wrong = target_parse(base, target, &request->target);
    return wrong ? refuse_bad(request, wrong) : PARSE_MORE;
}

static enum parse_status check_host(struct request *request, const char *base)
{
    struct span target_host = request->target.host;
    const struct header_field *field = fields_find(&request->fields, HEADER_HOST);
    if (!field) {
        if (request->minor == 1)
            return refuse_bad(request, "Host is missing");
        request->host = target_host;
        return PARSE_MORE;
    }
    if (!host_is_valid(span_str(base, field->value)))
        return refuse_bad(request, "Host is malformed");
    if (target_host.len > 0 && !str_is(span_str(base, target_host), span_str(base, field->value)))
        return refuse_bad(request, "Host is not the host of the request target");
    request->host = field->value;
    return PARSE_MORE;
}

static enum parse_status check_framing(struct request *request, const char *base)
{
    const struct header_field *coding = fields_find(&request->fields, HEADER_TRANSFER_ENCODING);
    const struct header_field *length = fields_find(&request->fields, HEADER_CONTENT_LENGTH);
    if (coding && length)
        return refuse_bad(request, "both Content-Length and Transfer-Encoding");
    if (coding) {
        if (request->minor == 0 || coding->value.len == 0)
            return refuse_bad(request, "Transfer-Encoding is malformed");
        if (!str_is(span_str(base, coding->value), STR("chunked")))
            return refuse(request, &ERR_NOT_IMPLEMENTED, "the transfer coding is not known here");
        request->body = BODY_CHUNKED;
    }
    if (length) {
        if (!content_length_parse(span_str(base, length->value), &request->content_length))
            return refuse_bad(request, "Content-Length is malformed");
        request->body = BODY_LENGTH;
    }
    return PARSE_MORE;
}

static enum parse_status check_head(struct request *request, const char *base)
{
    if (check_host(request, base) == PARSE_BAD || check_framing(request, base) == PARSE_BAD)
        return PARSE_BAD;
    bool is_close = false, is_keep_alive = false;
    if (!fields_apply_connection(&request->fields, base, &is_close, &is_keep_alive))
        return refuse_bad(request, "Connection names a field that is not its own");
    request->keep_alive = !is_close && (request->minor == 1 || is_keep_alive);
    const struct header_field *expect = fields_find(&request->fields, HEADER_EXPECT);
    request->expects_continue =
        expect && request->minor == 1 && str_is(span_str(base, expect->value), STR("100-continue"));
    return PARSE_DONE;
}

/* What turns names into CGI variables reads X_User_Id and X-User-Id as one, and some read X.User.Id
 * so, too: an underscore is an attack, other odd names just go no further. */
static bool set_apart_odd_name(struct header_field *field, const char *base)
{
    const char *name = base + field->name.at;
    if (chars_are(name, field->name.len, CHAR_NAME))
        return true;
    field->policy |= HEADER_FORGED;
    return !memchr(name, '_', field->name.len);
}

static enum parse_status parse_field(struct request *request, const char *base, struct span line)
{
    struct fields *fields = &request->fields;
    const char *wrong = fields_add(fields, base, line);
    if (wrong == FIELD_TOO_MANY)
        return refuse(request, &ERR_HEADERS_TOO_LARGE, wrong);
    if (wrong)
        return refuse_bad(request, wrong);
    if (!set_apart_odd_name(&fields->at[fields->count - 1], base))
        return refuse_bad(request, "a header name has an underscore");
    return PARSE_MORE;
}

/* PARSE_MORE: on to the next line. */
static enum parse_status parse_line(struct request *request, char *base, struct span line)
{
    if (request->has_request_line)
        return line.len == 0 ? check_head(request, base) : parse_field(request, base, line);
    if (line.len == 0 && !request->has_skipped_line) {
        request->has_skipped_line = true; /* one is forgiven (RFC 9112 section 2.2) */
        return PARSE_MORE;
    }
    request->has_request_line = true;
    return parse_request_line(request, base, line);
}

enum parse_status request_parse(struct request *request, char *base, size_t len)
{
    size_t head = MIN(len, HEAD_MAX);
    struct span line;
    enum line_status found;
    while ((found = lines_next(&request->lines, base, head, &line)) == LINE_FOUND) {
        enum parse_status status = parse_line(request, base, line);
        if (status == PARSE_DONE)
            request->head_len = request->lines.line;
        if (status != PARSE_MORE)
            return status;
    }
    if (found == LINE_BARE_LF)
        return refuse_bad(request, "a line ends without CR");
    if (!request->has_request_line)
        return check_unfinished_line(request, base, head);
    if (head == HEAD_MAX)
        return refuse(request, &ERR_HEADERS_TOO_LARGE, "the header section is too large");
    return PARSE_MORE;
}
