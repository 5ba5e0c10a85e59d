#include "url.h"

#include <string.h>

#include <base/str.h>

#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

static struct err *wrong(const char *text, const char *why)
{
    return err_new(&ERR_INTERNAL, "not a URL to call: %s (%.200s)", why, text);
}

/* host, host:port, [v6] or [v6]:port */
static bool split_authority(const char *authority, size_t len, struct http_url *url)
{
    const char *host = authority, *end = authority + len;
    size_t host_len;
    if (len > 0 && host[0] == '[') {
        host++;
        host_len = strspn(host, "0123456789abcdefABCDEF:.");
        if (host + host_len >= end || host[host_len] != ']')
            return false;
        authority = host + host_len + 1;
    } else {
        host_len = strspn(host, HOST_CHARS);
        authority = host + host_len;
    }
    if (host_len == 0 || authority > end ||
        !str_copy_n(url->host, sizeof(url->host), host, host_len))
        return false;
    if (authority == end)
        return true;
    int64_t port;
    size_t port_len = (size_t)(end - authority) - 1;
    return authority[0] == ':' && parse_i64_n(authority + 1, port_len, 1, 65535, &port) &&
           str_copy_n(url->port, sizeof(url->port), authority + 1, port_len);
}

struct err *http_url_parse(const char *text, struct http_url *out_url)
{
    struct http_url url = {0};
    url.is_tls = str_equal_nocase_n(text, "https://", 8);
    if (!url.is_tls && !str_equal_nocase_n(text, "http://", 7))
        return wrong(text, "its scheme is neither http nor https");
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '#')
            return wrong(text, "a character that must be encoded, or a fragment");
    const char *authority = text + (url.is_tls ? 8 : 7);
    size_t len = strcspn(authority, "/?");
    str_copy(url.port, sizeof(url.port), url.is_tls ? "443" : "80");
    if (!str_copy_n(url.authority, sizeof(url.authority), authority, len) ||
        !split_authority(authority, len, &url))
        return wrong(text, "its host or port is malformed");
    url.target = authority + len;
    *out_url = url;
    return NULL;
}
