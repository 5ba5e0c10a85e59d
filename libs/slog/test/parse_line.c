/* A strict reader of flat JSON objects without white space, apart from the code under test. */
#include "capture.h"

#include <stdlib.h>
#include <string.h>

#include <base/macros.h>
#include <base/str.h>

struct reader {
    const char *at, *end;
};

static bool take(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

static size_t take_digits(struct reader *reader)
{
    const char *start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return (size_t)(reader->at - start);
}

static bool take_hex4(struct reader *reader, uint32_t *out)
{
    char digits[5] = "";
    if (reader->end - reader->at < 4)
        return false;
    memcpy(digits, reader->at, 4);
    reader->at += 4;
    *out = (uint32_t)strtoul(digits, NULL, 16);
    return strspn(digits, "0123456789abcdefABCDEF") == 4;
}

/* What follows a backslash. The writer escapes nothing that would need a surrogate pair. */
static bool take_escape(struct reader *reader, uint32_t *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (take(reader, 'u'))
        return take_hex4(reader, out);
    const char *found = reader->at < reader->end ? memchr(from, *reader->at, sizeof(to) - 1) : NULL;
    if (!found)
        return false;
    reader->at++;
    *out = (unsigned char)to[found - from];
    return true;
}

/* Decodes into out (as much as fits, always NUL-terminated). */
static bool take_string(struct reader *reader, char *out, size_t cap)
{
    size_t len = 0;
    if (!take(reader, '"'))
        return false;
    while (reader->at < reader->end && *reader->at != '"') {
        uint32_t code_point;
        char bytes[4];
        if (take(reader, '\\')) {
            if (!take_escape(reader, &code_point))
                return false;
        } else {
            size_t used = utf8_decode(reader->at, (size_t)(reader->end - reader->at), &code_point);
            if (used == 0 || code_point < 0x20)
                return false;
            reader->at += used;
        }
        size_t size = utf8_encode(code_point, bytes);
        if (size == 0)
            return false;
        if (len + size < cap) {
            memcpy(out + len, bytes, size);
            len += size;
        }
    }
    if (cap > 0)
        out[len] = '\0';
    return take(reader, '"');
}

static bool take_number(struct reader *reader)
{
    take(reader, '-');
    if (!take(reader, '0') && take_digits(reader) == 0)
        return false;
    if (take(reader, '.') && take_digits(reader) == 0)
        return false;
    if (take(reader, 'e') || take(reader, 'E')) {
        if (!take(reader, '+'))
            take(reader, '-');
        return take_digits(reader) > 0;
    }
    return true;
}

static bool take_value(struct reader *reader, char *out, size_t cap)
{
    static const char *const words[] = {"true", "false", "null"};
    const char *start = reader->at;
    size_t left = (size_t)(reader->end - reader->at);
    if (left > 0 && *start == '"')
        return take_string(reader, out, cap);
    bool is_word = false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t len = strlen(words[i]);
        if (left >= len && memcmp(start, words[i], len) == 0) {
            reader->at += len;
            is_word = true;
        }
    }
    if (!is_word && !take_number(reader))
        return false;
    return cap == 0 || str_copy_n(out, cap, start, (size_t)(reader->at - start));
}

/* Reads the whole object; the value of the last member of this name goes to out. */
static bool read_object(const char *text, size_t len, const char *wanted, char *out, size_t cap,
                        bool *out_found)
{
    struct reader reader = {text, text + len};
    *out_found = false;
    if (!take(&reader, '{'))
        return false;
    do {
        char key[SLOG_LINE_MAX], value[SLOG_LINE_MAX];
        if (!take_string(&reader, key, sizeof(key)) || !take(&reader, ':') ||
            !take_value(&reader, value, sizeof(value)))
            return false;
        if (wanted && strcmp(key, wanted) == 0)
            *out_found = str_copy(out, cap, value);
    } while (take(&reader, ','));
    return take(&reader, '}') && take(&reader, '\n') && reader.at == reader.end;
}

bool capture_is_json_line(const char *text, size_t len)
{
    bool found;
    return read_object(text, len, NULL, NULL, 0, &found);
}

bool capture_member(const char *line, const char *key, char *out, size_t cap)
{
    bool found;
    return read_object(line, strlen(line), key, out, cap, &found) && found;
}
