#include "framing.h"

#include <string.h>

#include <base/str.h>

static const struct {
    const char *name;
    size_t len;
    bool is_single; /* a second one is refused */
} known_headers[KNOWN_COUNT] = {
#define KNOWN(text, is_single)                                                                     \
    {                                                                                              \
        text, sizeof(text) - 1, is_single                                                          \
    }
    [KNOWN_HOST] = KNOWN("Host", true),
    [KNOWN_CONTENT_LENGTH] = KNOWN("Content-Length", true),
    [KNOWN_TRANSFER_ENCODING] = KNOWN("Transfer-Encoding", true),
    [KNOWN_CONNECTION] = KNOWN("Connection", true),
    [KNOWN_UPGRADE] = KNOWN("Upgrade", false),
    [KNOWN_EXPECT] = KNOWN("Expect", true),
    [KNOWN_AUTHORIZATION] = KNOWN("Authorization", true),
    [KNOWN_CONTENT_TYPE] = KNOWN("Content-Type", true),
    [KNOWN_CONTENT_ENCODING] = KNOWN("Content-Encoding", true),
    [KNOWN_ORIGIN] = KNOWN("Origin", true),
    [KNOWN_X_REQUEST_ID] = KNOWN("X-Request-Id", false),
    [KNOWN_TRACEPARENT] = KNOWN("traceparent", false),
    [KNOWN_IDEMPOTENCY_KEY] = KNOWN("Idempotency-Key", true),
#undef KNOWN
};

bool http_is_token(const char *text)
{
    size_t i = 0;
    for (; text[i] != '\0'; i++) {
        char c = text[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && c != '-' && !(c >= '0' && c <= '9') && !strchr("!#$%&'*+.^_`|~", c))
            return false;
    }
    return i > 0;
}

bool http_list_has(const char *list, const char *token)
{
    size_t token_len = strlen(token);
    while (*list != '\0') {
        list += strspn(list, ", \t");
        size_t len = strcspn(list, ", \t");
        if (len == token_len && str_equal_nocase_n(list, token, len))
            return true;
        list += len;
    }
    return false;
}

static struct err *find_known(struct http_req *req)
{
    for (size_t i = 0; i < req->header_count; i++) {
        const struct http_header_pair *header = &req->headers[i];
        if (!http_is_token(header->name))
            return err_new(&ERR_BAD_REQUEST, "a header's name is malformed");
        size_t len = strlen(header->name);
        for (size_t k = 0; k < KNOWN_COUNT; k++) {
            if (known_headers[k].len != len ||
                !str_equal_nocase_n(known_headers[k].name, header->name, len))
                continue;
            if (req->known[k] && known_headers[k].is_single)
                return err_new(&ERR_BAD_REQUEST, "there is more than one %s header",
                               known_headers[k].name);
            if (!req->known[k])
                req->known[k] = header->value;
            break;
        }
    }
    if (req->minor_version >= 1 && !req->known[KNOWN_HOST])
        return err_new(&ERR_BAD_REQUEST, "the Host header is missing");
    return NULL;
}

static struct err *find_body_length(struct http_req *req)
{
    const char *length = req->known[KNOWN_CONTENT_LENGTH];
    const char *coding = req->known[KNOWN_TRANSFER_ENCODING];
    if (coding) {
        if (length)
            return err_new(&ERR_BAD_REQUEST, "both Content-Length and Transfer-Encoding are there");
        if (req->minor_version < 1 || !str_equal_nocase(coding, "chunked"))
            return err_new(&ERR_BAD_REQUEST, "the Transfer-Encoding is not understood");
        req->body_length = -1;
    } else if (length && !parse_i64(length, 0, INT64_MAX, &req->body_length)) {
        return err_new(&ERR_BAD_REQUEST, "the Content-Length is not a number");
    }
    return NULL;
}

/* civetweb closes wherever a Connection header does not say keep-alive, and after every offer to
 * upgrade, so the answer must say the same. */
static bool wishes_keep_alive(const struct http_req *req)
{
    const char *connection = req->known[KNOWN_CONNECTION];
    if (!connection)
        return req->minor_version >= 1;
    return http_list_has(connection, "keep-alive") && !http_list_has(connection, "close") &&
           !strcasestr(connection, "upgrade");
}

struct err *http_framing_check(struct http_req *req)
{
    req->keep_alive = false;
    req->body_length = 0;
    TRY(find_known(req));
    TRY(find_body_length(req));
    req->keep_alive = wishes_keep_alive(req);
    return NULL;
}
