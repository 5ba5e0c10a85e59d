/* Conditional requests (RFC 9110 section 13) on version numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <base/str.h>

#include "exchange.h"

#define TAG_TEXT 32

static void format_tag(int64_t version, char out[static TAG_TEXT])
{
    snprintf(out, TAG_TEXT, "\"v%" PRId64 "\"", version);
}

/* Whether a list of entity tags has this one. A weak tag counts only where that is enough. */
static bool has_tag(const char *list, const char *tag, bool weak_is_enough)
{
    size_t tag_len = strlen(tag);
    for (;;) {
        list += strspn(list, ", \t");
        if (*list == '\0')
            return false;
        bool is_weak = strncmp(list, "W/\"", 3) == 0;
        const char *opaque = is_weak ? list + 2 : list;
        if ((!is_weak || weak_is_enough) && strncmp(opaque, tag, tag_len) == 0)
            return true;
        /* A comma may stand inside of the quotes. */
        const char *closing = *opaque == '"' ? strchr(opaque + 1, '"') : NULL;
        list = closing ? closing + 1 : opaque + strcspn(opaque, ",");
    }
}

static bool is_any(const char *list)
{
    list += strspn(list, " \t");
    return list[0] == '*' && list[1 + strspn(list + 1, " \t")] == '\0';
}

enum found { NO_HEADER, NO_MATCH, MATCH };

/* A list may be spread over several headers. tag NULL: there is nothing that could match. */
static enum found find(const struct http_req *req, const char *name, const char *tag,
                       bool weak_is_enough)
{
    enum found found = NO_HEADER;
    for (size_t i = 0; i < req->header_count; i++) {
        if (!str_equal_nocase(req->headers[i].name, name))
            continue;
        const char *list = req->headers[i].value;
        if (tag && (is_any(list) || has_tag(list, tag, weak_is_enough)))
            return MATCH;
        found = NO_MATCH;
    }
    return found;
}

static struct err *failed(const char *tag)
{
    return tag ? err_new(&ERR_PRECONDITION_FAILED, "the present version is %s", tag)
               : err_new(&ERR_PRECONDITION_FAILED, "there is nothing yet");
}

struct err *http_set_etag(struct http_res *res, int64_t version)
{
    char tag[TAG_TEXT];
    format_tag(version, tag);
    return http_set_header(res, "ETag", "%s", tag);
}

struct err *http_etag(struct http_req *req, struct http_res *res, int64_t version, bool *out_done)
{
    char tag[TAG_TEXT];
    format_tag(version, tag);
    if (find(req, "If-Match", tag, false) == NO_MATCH)
        return failed(tag);
    TRY(http_set_header(res, "ETag", "%s", tag));
    bool is_same = find(req, "If-None-Match", tag, true) == MATCH;
    if (is_same)
        TRY(http_reply_empty(res, 304));
    *out_done = is_same;
    return NULL;
}

struct err *http_if_match(const struct http_req *req, int64_t version)
{
    char text[TAG_TEXT];
    const char *tag = version == HTTP_ABSENT ? NULL : text;
    format_tag(version, text);
    if (find(req, "If-Match", tag, false) == NO_MATCH ||
        find(req, "If-None-Match", tag, true) == MATCH)
        return failed(tag);
    return NULL;
}
