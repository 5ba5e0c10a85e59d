/* Conditional requests (RFC 9110 section 13) on version numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
    TRY(http_set_header(res, "ETag", "%s", tag));
    const char *list = http_header(req, "If-None-Match");
    bool is_read = req->method == GET || req->method == HEAD;
    bool is_same = list && is_read && (strcmp(list, "*") == 0 || has_tag(list, tag, true));
    if (is_same)
        TRY(http_reply_empty(res, 304));
    *out_done = is_same;
    return NULL;
}

struct err *http_if_match(const struct http_req *req, int64_t version)
{
    const char *list = http_header(req, "If-Match");
    char tag[TAG_TEXT];
    format_tag(version, tag);
    if (!list || strcmp(list, "*") == 0 || has_tag(list, tag, false))
        return NULL;
    return err_new(&ERR_PRECONDITION_FAILED, "the present version is %s", tag);
}
