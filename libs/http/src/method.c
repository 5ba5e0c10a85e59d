#include <stdio.h>
#include <string.h>

#include "exchange.h"

static const char *const names[HTTP_METHOD_COUNT] = {
    [GET] = "GET",     [HEAD] = "HEAD",     [POST] = "POST",       [PUT] = "PUT",
    [PATCH] = "PATCH", [DELETE] = "DELETE", [OPTIONS] = "OPTIONS",
};

const char *http_method_name(enum http_method method)
{
    bool is_known = method >= GET && method < HTTP_METHOD_COUNT;
    return is_known ? names[method] : "";
}

enum http_method http_method_parse(const char *name)
{
    for (enum http_method method = GET; method < HTTP_METHOD_COUNT; method++)
        if (strcmp(names[method], name) == 0)
            return method;
    return 0;
}

const char *http_allow_text(struct arena *arena, unsigned methods)
{
    static const enum http_method sorted[] = {DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT};
    methods |= 1U << OPTIONS;
    if (methods & 1U << GET)
        methods |= 1U << HEAD;
    char text[64] = "";
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
        if (!(methods & 1U << sorted[i]))
            continue;
        int added = snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? ", " : "",
                             names[sorted[i]]);
        used += (size_t)added;
    }
    return arena_strndup(arena, text, used);
}
