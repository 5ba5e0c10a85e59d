#include "parse_response.h"

#include <string.h>

#include "chars.h"

static enum parse_status refuse(struct response *response, const char *detail)
{
    response->bad_detail = detail;
    return PARSE_BAD;
}

/* HTTP-version SP status-code SP [ reason-phrase ]; the second space may be missing. */
static enum parse_status parse_status_line(struct response *response, const char *base,
                                           struct span line)
{
    const char *text = base + line.at;
    if (line.len < 12 || memcmp(text, "HTTP/1.", 7) != 0 || text[8] != ' ' ||
        (text[7] != '0' && text[7] != '1') || (line.len > 12 && text[12] != ' '))
        return refuse(response, "its status line is malformed");
    int64_t status;
    if (!parse_i64_n(text + 9, 3, 100, 599, &status))
        return refuse(response, "its status is none");
    if (!chars_are(text + 12, line.len - 12u, CHAR_VALUE))
        return refuse(response, "its reason phrase has a control character");
    response->status = (uint16_t)status;
    response->minor = (uint8_t)(text[7] - '0');
    if (line.len > 13)
        response->reason = (struct span){(uint16_t)(line.at + 13), (uint16_t)(line.len - 13)};
    return PARSE_MORE;
}

/* RFC 9112 section 6.3, its cases in order. */
static enum parse_status find_framing(struct response *response, const char *base, bool to_head)
{
    const struct header_field *coding = fields_find(&response->fields, HEADER_TRANSFER_ENCODING);
    const struct header_field *length = fields_find(&response->fields, HEADER_CONTENT_LENGTH);
    response->content_length = -1;
    if (coding && length)
        return refuse(response, "it has both Content-Length and Transfer-Encoding");
    if (coding && (response->minor == 0 || !str_is(span_str(base, coding->value), STR("chunked"))))
        return refuse(response, "its transfer coding is not known");
    if (length && !content_length_parse(span_str(base, length->value), &response->content_length))
        return refuse(response, "its Content-Length is malformed");
    if (to_head || response->status < 200 || response->status == 204 || response->status == 304)
        response->body = BODY_NONE;
    else if (coding)
        response->body = BODY_CHUNKED;
    else
        response->body = length ? BODY_LENGTH : BODY_UNTIL_CLOSE;
    return PARSE_MORE;
}

static enum parse_status check_head(struct response *response, const char *base, bool to_head)
{
    if (find_framing(response, base, to_head) == PARSE_BAD)
        return PARSE_BAD;
    bool is_close = false, is_keep_alive = false;
    if (!fields_apply_connection(&response->fields, base, &is_close, &is_keep_alive))
        return refuse(response, "its Connection names a field that is not its own");
    response->keep_alive =
        !is_close && (response->minor == 1 || is_keep_alive) && response->body != BODY_UNTIL_CLOSE;
    if (response->status == 101)
        return refuse(response, "it switches protocols unasked");
    return PARSE_DONE;
}

static enum parse_status parse_line(struct response *response, const char *base, struct span line,
                                    bool to_head)
{
    if (!response->has_status_line) {
        response->has_status_line = true;
        return parse_status_line(response, base, line);
    }
    if (line.len == 0)
        return check_head(response, base, to_head);
    const char *wrong = fields_add(&response->fields, base, line);
    return wrong ? refuse(response, wrong) : PARSE_MORE;
}

enum parse_status response_parse(struct response *response, const char *base, size_t len,
                                 bool to_head)
{
    size_t head = MIN(len, HEAD_MAX);
    struct span line;
    enum line_status found;
    while ((found = lines_next(&response->lines, base, head, &line)) == LINE_FOUND) {
        enum parse_status status = parse_line(response, base, line, to_head);
        if (status == PARSE_DONE)
            response->head_len = response->lines.line;
        if (status != PARSE_MORE)
            return status;
    }
    if (found == LINE_BARE_LF)
        return refuse(response, "a line of it ends without CR");
    if (head == HEAD_MAX)
        return refuse(response, "its header section is too large");
    return PARSE_MORE;
}
