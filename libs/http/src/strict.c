#include "strict.h"

#include <string.h>

static struct err *malformed(const char *what)
{
    return err_new(&ERR_BAD_REQUEST, "the %s is malformed", what);
}

static struct err *too_large(void)
{
    return err_new(&ERR_HEADERS_TOO_LARGE, "the header section has more than %zu bytes",
                   STRICT_SECTION_MAX);
}

/* The place after the request line's CR LF. */
static struct err *check_line(const struct strict_request *request, const char **out_end)
{
    const char *target_end = request->target + strlen(request->target);
    if (request->query)
        target_end = request->query + strlen(request->query);
    if ((size_t)(target_end - request->target) > STRICT_TARGET_MAX)
        return err_new(&ERR_URI_TOO_LONG, "the request target has more than %zu bytes",
                       STRICT_TARGET_MAX);
    if (request->target != request->method + strlen(request->method) + 1 ||
        request->version != target_end + 1 ||
        (request->query && request->query != request->target + strlen(request->target) + 1))
        return malformed("request line");
    *out_end = request->version + strlen(request->version) + 2;
    return NULL;
}

static struct err *check_headers(const struct strict_request *request, const char **line)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct strict_header *header = &request->headers[i];
        if (header->name != *line)
            return malformed("line before a header");
        /* civetweb overwrites the spaces before a colon, and the colon, with NULs. */
        const char *colon = header->name + strlen(header->name);
        if (colon[1] == '\0' && header->value != colon + 1)
            return malformed("header's name");
        *line = header->value + strlen(header->value) + 2;
        if ((size_t)(*line - request->method) > STRICT_SECTION_MAX)
            return too_large();
    }
    return NULL;
}

struct err *http_strict_check(const struct strict_request *request, size_t *out_size)
{
    const char *line = request->method;
    TRY(check_line(request, &line));
    bool has_headers = request->header_count > 0;
    TRY(check_headers(request, &line));
    /* CR LF CR LF, of which civetweb has overwritten all but the second CR, or, without any header,
     * all of it. A line that it has not understood begins otherwise. */
    bool is_end = line[-2] == '\0' && line[-1] == '\0' && line[0] == (has_headers ? '\r' : '\0') &&
                  line[1] == '\0';
    if (!is_end)
        return malformed("header section");
    *out_size = (size_t)(line + 2 - request->method);
    return NULL;
}
