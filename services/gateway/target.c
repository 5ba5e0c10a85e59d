#include "target.h"

#include <string.h>

#include <base/str.h>

#include "chars.h"

/* "." and "..", also before path parameters ("..;x"), which some servers cut off first. */
static bool is_dot_segment(const char *segment, size_t len)
{
    size_t dots = 0;
    while (dots < len && segment[dots] == '.')
        dots++;
    if (dots != 1 && dots != 2)
        return false;
    const char *rest = segment + dots;
    size_t rest_len = len - dots;
    return rest_len == 0 || rest[0] == ';' || (rest_len >= 3 && str_equal_nocase_n(rest, "%3b", 3));
}

static bool segments_are_plain(const char *path, size_t len)
{
    size_t begin = 1;
    for (size_t i = 1; i <= len; i++) {
        if (i < len && path[i] != '/')
            continue;
        if (i < len && i == begin)
            return false; /* "//" */
        if (is_dot_segment(path + begin, i - begin))
            return false;
        begin = i + 1;
    }
    return true;
}

/* The byte that %XX stands for; -1 unless it may stand in a path. */
static int decode_byte(const char *text, const char *end)
{
    if (end - text < 3)
        return -1;
    int high = char_hex(text[1]), low = char_hex(text[2]);
    if (high < 0 || low < 0)
        return -1;
    int byte = high * 16 + low;
    bool is_control = byte < 0x20 || byte == 0x7f;
    return is_control || byte == '/' || byte == '\\' ? -1 : byte;
}

/* Normalises in place; the new length, 0 if the path is refused. */
static size_t normalise_path(char *path, size_t len)
{
    const char *end = path + len;
    char *to = path;
    for (const char *from = path; from < end; from++) {
        if (*from != '%') {
            if (!char_is(*from, CHAR_PATH))
                return 0;
            *to++ = *from;
            continue;
        }
        int byte = decode_byte(from, end);
        if (byte < 0)
            return 0;
        if (byte < 0x80 && char_is((char)byte, CHAR_UNRESERVED)) {
            *to++ = (char)byte;
        } else {
            memmove(to, from, 3);
            to += 3;
        }
        from += 2;
    }
    size_t new_len = (size_t)(to - path);
    return segments_are_plain(path, new_len) ? new_len : 0;
}

/* The part of an absolute URI before its path; 0 when the target has another form. */
static size_t scheme_length(struct str target)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < 2; i++)
        if (target.len >= schemes[i].len &&
            str_equal_nocase_n(target.data, schemes[i].data, schemes[i].len))
            return schemes[i].len;
    return 0;
}

static const char *parse_origin_form(char *base, struct span text, struct target *target)
{
    char *path = base + text.at;
    const char *mark = memchr(path, '?', text.len);
    size_t path_len = mark ? (size_t)(mark - path) : text.len;
    if (mark && !chars_are(mark, text.len - path_len, CHAR_QUERY))
        return "the query has a character that no URI has";
    size_t normal_len = normalise_path(path, path_len);
    if (normal_len == 0)
        return "the path is malformed or ambiguous";
    target->path = (struct span){text.at, (uint16_t)normal_len};
    target->query = (struct span){(uint16_t)(text.at + path_len), (uint16_t)(text.len - path_len)};
    return NULL;
}

static bool ends_authority(char byte)
{
    return byte == '/' || byte == '?' || byte == '#';
}

static const char *parse_absolute_form(char *base, struct span text, size_t scheme_len,
                                       struct target *target)
{
    size_t end = scheme_len;
    while (end < text.len && !ends_authority(base[text.at + end]))
        end++;
    target->host = (struct span){(uint16_t)(text.at + scheme_len), (uint16_t)(end - scheme_len)};
    if (!host_is_valid(span_str(base, target->host)))
        return "the host of the request target is malformed";
    struct span rest = {(uint16_t)(text.at + end), (uint16_t)(text.len - end)};
    if (rest.len > 0 && base[rest.at] == '/')
        return parse_origin_form(base, rest, target);
    /* An empty path is "/" (RFC 9110 section 4.2.3): the last byte of "http://" serves as it. */
    target->path = (struct span){(uint16_t)(text.at + scheme_len - 1), 1};
    target->query = rest;
    if (rest.len > 0 && !chars_are(base + rest.at, rest.len, CHAR_QUERY))
        return "the query has a character that no URI has";
    return NULL;
}

const char *target_parse(char *base, struct span text, struct target *out_target)
{
    struct target target = {0};
    const char *wrong = NULL;
    size_t scheme_len = scheme_length(span_str(base, text));
    if (text.len > 0 && base[text.at] == '/')
        wrong = parse_origin_form(base, text, &target);
    else if (scheme_len > 0)
        wrong = parse_absolute_form(base, text, scheme_len, &target);
    else if (text.len == 1 && base[text.at] == '*')
        target.path = text;
    else
        wrong = "the request target is malformed";
    if (!wrong)
        *out_target = target;
    return wrong;
}

static bool port_is_valid(const char *text, size_t len)
{
    int64_t port;
    return parse_i64_n(text, len, 0, 65535, &port);
}

static bool is_ipv6_char(char byte)
{
    return char_hex(byte) >= 0 || byte == ':' || byte == '.';
}

bool host_is_valid(struct str host)
{
    size_t end = 0;
    if (host.len > 0 && host.data[0] == '[') {
        end = 1;
        while (end < host.len && is_ipv6_char(host.data[end]))
            end++;
        if (end < 3 || end == host.len || host.data[end++] != ']')
            return false;
    } else {
        while (end < host.len && char_is(host.data[end], CHAR_HOST))
            end++;
    }
    if (end == 0 || end == host.len)
        return end > 0;
    return host.data[end] == ':' && port_is_valid(host.data + end + 1, host.len - end - 1);
}
