#include "syntax.h"

#include <string.h>

#define LOCAL_PART_MAX 64
#define LABEL_MAX      63

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_one_of(char c, const char *choices)
{
    return c != '\0' && strchr(choices, c);
}

/* RFC 5322's atext. */
static bool is_atom_char(char c)
{
    return is_alnum(c) || is_one_of(c, "!#$%&'*+-/=?^_`{|}~");
}

static bool is_dot_atom(struct str text)
{
    bool after_dot = true;
    for (size_t i = 0; i < text.len; i++) {
        bool is_dot = text.data[i] == '.';
        if (is_dot ? after_dot : !is_atom_char(text.data[i]))
            return false;
        after_dot = is_dot;
    }
    return !after_dot;
}

static bool is_label(struct str text)
{
    if (text.len == 0 || text.len > LABEL_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_alnum(text.data[i]) && text.data[i] != '-')
            return false;
    return text.data[0] != '-' && text.data[text.len - 1] != '-';
}

static bool has_letter(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (is_alnum(text.data[i]) && !is_digit(text.data[i]))
            return true;
    return false;
}

/* The part up to the next separator, which is taken off the text with it. */
static struct str next_part(struct str *text, char separator)
{
    const char *end = memchr(text->data, separator, text->len);
    size_t len = end ? (size_t)(end - text->data) : text->len;
    struct str part = {text->data, len};
    size_t taken = end ? len + 1 : len;
    *text = (struct str){text->data + taken, text->len - taken};
    return part;
}

/* Dotted labels, not all of digits at the end, where that would be an IPv4 address. */
static bool is_domain(struct str text, size_t min_labels)
{
    size_t labels = 0;
    struct str label = {0};
    if (text.len > 0 && text.data[text.len - 1] == '.')
        return false;
    while (text.len > 0) {
        label = next_part(&text, '.');
        if (!is_label(label))
            return false;
        labels++;
    }
    return labels >= min_labels && has_letter(label);
}

bool model_is_email(struct str text)
{
    if (text.len == 0 || text.len > MODEL_EMAIL_MAX || !memchr(text.data, '@', text.len))
        return false;
    struct str local = next_part(&text, '@');
    return local.len <= LOCAL_PART_MAX && is_dot_atom(local) && is_domain(text, 2);
}

/* Characters of RFC 3986 beyond letters and digits, and whole percent escapes. */
static bool has_only_url_chars(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%' &&
            (text.len - i < 3 || !is_hex(text.data[i + 1]) || !is_hex(text.data[i + 2])))
            return false;
        if (!is_alnum(c) && !is_one_of(c, "-._~:/?#[]@!$&'()*+,;=%"))
            return false;
    }
    return true;
}

static bool is_ipv4(struct str text)
{
    size_t parts = 0;
    while (text.len > 0) {
        struct str part = next_part(&text, '.');
        int64_t number;
        if (!parse_i64_n(part.data, part.len, 0, 255, &number))
            return false;
        parts++;
    }
    return parts == 4;
}

/* Loosely: what stands between the brackets is for the resolver to judge. */
static bool is_ipv6(struct str text)
{
    if (text.len < 4 || text.data[0] != '[' || text.data[text.len - 1] != ']')
        return false;
    for (size_t i = 1; i < text.len - 1; i++)
        if (!is_hex(text.data[i]) && text.data[i] != ':' && text.data[i] != '.')
            return false;
    return memchr(text.data, ':', text.len);
}

static bool is_authority(struct str text)
{
    size_t host_len = text.len;
    while (host_len > 0 && is_digit(text.data[host_len - 1]))
        host_len--;
    int64_t port;
    if (host_len > 0 && text.data[host_len - 1] == ':') {
        struct str digits = {text.data + host_len, text.len - host_len};
        if (!parse_i64_n(digits.data, digits.len, 1, 65535, &port))
            return false;
        text.len = host_len - 1;
    }
    return is_domain(text, 1) || is_ipv4(text) || is_ipv6(text);
}

/* Length of "http://" or "https://" at the start; 0 for anything else. */
static size_t scheme_length(struct str text)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct str scheme = schemes[i];
        if (text.len > scheme.len && str_equal_nocase_n(text.data, scheme.data, scheme.len))
            return scheme.len;
    }
    return 0;
}

bool model_is_url(struct str text)
{
    size_t start = scheme_length(text);
    if (start == 0 || text.len > MODEL_URL_MAX || !has_only_url_chars(text))
        return false;
    size_t end = start;
    while (end < text.len && !is_one_of(text.data[end], "/?#"))
        end++;
    return is_authority((struct str){text.data + start, end - start});
}
