#include "net.h"

#include <arpa/inet.h>
#include <string.h>

#include <base/str.h>

#define DIGITS     "0123456789"
#define HEX        DIGITS "abcdefABCDEF"
#define LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define UNRESERVED LETTERS DIGITS "-._~"
#define SUB_DELIMS "!$&'()*+,;="

#define HOST_MAX  253
#define LABEL_MAX 63

static bool consists_of(struct str text, const char *allowed)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\0' || !strchr(allowed, text.data[i]))
            return false;
    return true;
}

/* Allowed characters and percent-encoded bytes. */
static bool is_encoded(struct str text, const char *allowed)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '%') {
            if (!strchr(allowed, text.data[i]))
                return false;
            continue;
        }
        if (text.len - i < 3 || !consists_of((struct str){text.data + i + 1, 2}, HEX))
            return false;
        i += 2;
    }
    return true;
}

static bool is_ip(int family, struct str text)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    return str_copy_n(copy, sizeof(copy), text.data, text.len) &&
           inet_pton(family, copy, address) == 1;
}

static bool is_label(struct str label)
{
    return label.len > 0 && label.len <= LABEL_MAX && label.data[0] != '-' &&
           label.data[label.len - 1] != '-' && consists_of(label, LETTERS DIGITS "-_");
}

/* A name, with or without the dot of the root, or an IPv4 address. */
static bool is_host(struct str host)
{
    if (host.len == 0 || host.len > HOST_MAX)
        return false;
    if (consists_of(host, DIGITS "."))
        return is_ip(AF_INET, host);
    while (host.len > 0) {
        const char *dot = memchr(host.data, '.', host.len);
        struct str label = {host.data, dot ? (size_t)(dot - host.data) : host.len};
        if (!is_label(label))
            return false;
        size_t used = label.len + (dot ? 1 : 0);
        host = (struct str){host.data + used, host.len - used};
    }
    return true;
}

/* Splits off what is before the port; *out_port is what follows the colon, data NULL for none. */
static bool split_port(struct str text, struct str *out_host, struct str *out_port)
{
    size_t host_len;
    if (text.len > 0 && text.data[0] == '[') {
        const char *end = memchr(text.data, ']', text.len);
        if (!end)
            return false;
        host_len = (size_t)(end - text.data) + 1;
    } else {
        const char *colon = memchr(text.data, ':', text.len);
        host_len = colon ? (size_t)(colon - text.data) : text.len;
    }
    *out_host = (struct str){text.data, host_len};
    *out_port = (struct str){NULL, 0};
    if (host_len == text.len)
        return true;
    *out_port = (struct str){text.data + host_len + 1, text.len - host_len - 1};
    return text.data[host_len] == ':';
}

static bool is_host_or_ip6(struct str host)
{
    if (host.len >= 2 && host.data[0] == '[')
        return is_ip(AF_INET6, (struct str){host.data + 1, host.len - 2});
    return is_host(host);
}

static bool is_port(struct str port, int64_t min)
{
    int64_t number;
    return parse_i64_n(port.data, port.len, min, UINT16_MAX, &number);
}

bool cfg_address_is_valid(const char *text)
{
    struct str host, port;
    return split_port((struct str){text, strlen(text)}, &host, &port) && port.data &&
           is_port(port, 0) && (host.len == 0 || is_host_or_ip6(host));
}

static bool is_authority(struct str text)
{
    const char *at = memrchr(text.data, '@', text.len);
    if (at) {
        size_t user_len = (size_t)(at - text.data);
        if (!is_encoded((struct str){text.data, user_len}, UNRESERVED SUB_DELIMS ":"))
            return false;
        text = (struct str){at + 1, text.len - user_len - 1};
    }
    struct str host, port;
    return split_port(text, &host, &port) && is_host_or_ip6(host) &&
           (!port.data || is_port(port, 1));
}

static bool is_scheme(struct str scheme, const char *const *schemes)
{
    if (scheme.len == 0 || !strchr(LETTERS, scheme.data[0]) ||
        !consists_of(scheme, LETTERS DIGITS "+-."))
        return false;
    for (const char *const *known = schemes; known && *known; known++)
        if (strlen(*known) == scheme.len && str_equal_nocase_n(*known, scheme.data, scheme.len))
            return true;
    return schemes == NULL;
}

bool cfg_url_is_valid(const char *text, size_t len, const char *const *schemes)
{
    const char *mark = memmem(text, len, "://", 3);
    if (!mark || !is_scheme((struct str){text, (size_t)(mark - text)}, schemes))
        return false;
    struct str rest = {mark + 3, len - (size_t)(mark + 3 - text)};
    size_t authority_len = 0;
    while (authority_len < rest.len && !strchr("/?#", rest.data[authority_len]))
        authority_len++;
    return is_authority((struct str){rest.data, authority_len}) &&
           is_encoded((struct str){rest.data + authority_len, rest.len - authority_len},
                      UNRESERVED SUB_DELIMS ":@/?");
}
