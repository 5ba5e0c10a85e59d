#include "path.h"

#include <string.h>

static bool is_path_char(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("-._~!$&'()*+,;=:@%", c);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool http_percent_decode(const char *text, size_t len, bool plus_is_space, char *out,
                         size_t *out_len)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = len - i > 2 ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[used++] = c;
    }
    *out_len = used;
    return true;
}

static struct err *decode(struct str *segment, struct arena *arena)
{
    char *decoded = arena_alloc(arena, segment->len + 1);
    if (!decoded)
        return err_oom();
    size_t len = 0;
    if (!http_percent_decode(segment->data, segment->len, false, decoded, &len))
        return err_new(&ERR_BAD_REQUEST, "the path has a broken percent escape");
    for (size_t i = 0; i < len; i++)
        if (decoded[i] == '/' || (unsigned char)decoded[i] < 0x20 || decoded[i] == 0x7f)
            return err_new(&ERR_BAD_REQUEST, "the path has an encoded slash or control character");
    if (!utf8_is_valid(decoded, len))
        return err_new(&ERR_BAD_REQUEST, "the path is not UTF-8");
    *segment = (struct str){decoded, len};
    return NULL;
}

static struct err *check(struct str *segment, bool is_last, struct arena *arena)
{
    bool is_encoded = false;
    for (size_t i = 0; i < segment->len; i++) {
        if (!is_path_char((unsigned char)segment->data[i]))
            return err_new(&ERR_BAD_REQUEST, "the path has a character that must be encoded");
        is_encoded = is_encoded || segment->data[i] == '%';
    }
    if (is_encoded)
        TRY(decode(segment, arena));
    if (segment->len == 0 && !is_last)
        return err_new(&ERR_BAD_REQUEST, "the path has an empty segment");
    bool is_dots = (segment->len == 1 && segment->data[0] == '.') ||
                   (segment->len == 2 && memcmp(segment->data, "..", 2) == 0);
    return is_dots ? err_new(&ERR_BAD_REQUEST, "the path has a dot segment") : NULL;
}

struct err *http_path_split(const char *text, struct arena *arena, struct path *out_path)
{
    if (text[0] != '/')
        return err_new(&ERR_BAD_REQUEST, "the path does not begin with a slash");
    out_path->count = 0;
    out_path->is_too_deep = false;
    if (text[1] == '\0')
        return NULL;
    for (const char *start = text + 1;; start++) {
        size_t len = strcspn(start, "/");
        struct str segment = {start, len};
        start += len;
        TRY(check(&segment, *start == '\0', arena));
        if (out_path->count < PATH_SEGMENTS_MAX)
            out_path->segments[out_path->count++] = segment;
        else
            out_path->is_too_deep = true;
        if (*start == '\0')
            return NULL;
    }
}
