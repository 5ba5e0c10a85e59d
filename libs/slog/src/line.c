#include "line.h"

#include <math.h>
#include <string.h>

#include <base/str.h>

void slog_line_init(struct line *line)
{
    line->data[0] = '\n';
    line->len = 1;
    line->limit = sizeof(line->data) - SLOG_LINE_TAIL;
    line->truncated = false;
}

bool slog_line_put(struct line *line, const char *bytes, size_t count)
{
    if (count > line->limit - line->len) {
        line->truncated = true;
        return false;
    }
    memcpy(line->data + line->len, bytes, count);
    line->len += count;
    return true;
}

bool slog_line_put_i64(struct line *line, int64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        digits[--at] = '-';
    return slog_line_put(line, digits + at, sizeof(digits) - at);
}

/* Durations and ratios have few decimals: six are written without printf, which takes ten times as
 * long. The division is exact to the last bit, so it tells whether the digits read back the same.
 */
static bool put_six_decimals(struct line *line, double number, bool *out_written)
{
    if (fabs(number) >= 1e9)
        return false;
    double scaled = number * 1e6;
    int64_t millionths = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    if ((double)millionths / 1e6 != number || (millionths == 0 && signbit(number)))
        return false;

    char text[24];
    uint64_t size = (uint64_t)(millionths < 0 ? -millionths : millionths);
    size_t at = sizeof(text);
    size_t end = at;
    for (int digit = 0; size > 0 || digit < 7; digit++) {
        if (digit == 6)
            text[--at] = '.';
        text[--at] = (char)('0' + size % 10);
        size /= 10;
    }
    while (text[end - 1] == '0')
        end--;
    if (text[end - 1] == '.')
        end--;
    if (millionths < 0)
        text[--at] = '-';
    *out_written = slog_line_put(line, text + at, end - at);
    return true;
}

bool slog_line_put_f64(struct line *line, double number)
{
    bool written = false;
    if (!isfinite(number))
        return SLOG_LINE_PUT(line, "null");
    if (put_six_decimals(line, number, &written))
        return written;
    char text[F64_TEXT];
    return slog_line_put(line, text, f64_format(number, text));
}

/* Whether a character could move the cursor, end the line or turn the reading direction. */
static bool is_unsafe(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) ||
           (code_point >= 0x2028 && code_point <= 0x202e) ||
           (code_point >= 0x2066 && code_point <= 0x2069);
}

/* Printable ASCII without quote and backslash. */
static const bool is_plain[256] = {
    [' ' ... '!'] = true, ['#' ... '['] = true, [']' ... '~'] = true};

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of some byte is set if one of the eight is zero. */
static uint64_t has_zero(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word;
}

/* How many bytes from the first stand in the line as they are; eight are looked at together. */
static size_t plain_prefix(const char *bytes, size_t count)
{
    size_t at = 0;
    for (uint64_t word; count - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, bytes + at, sizeof(word));
        uint64_t special = word | ((word - EACH_BYTE(0x20)) & ~word) |
                           has_zero(word ^ EACH_BYTE('"')) | has_zero(word ^ EACH_BYTE('\\')) |
                           has_zero(word ^ EACH_BYTE(0x7f));
        if (special & EACH_BYTE(0x80))
            break;
    }
    while (at < count && is_plain[(unsigned char)bytes[at]])
        at++;
    return at;
}

static size_t escape_code_point(uint32_t code_point, char out[static 6])
{
    static const char hex[] = "0123456789abcdef";
    static const char named[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    out[0] = '\\';
    if (code_point < sizeof(named) && named[code_point]) {
        out[1] = named[code_point];
        return 2;
    }
    out[1] = 'u';
    for (int digit = 0; digit < 4; digit++)
        out[2 + digit] = hex[code_point >> (12 - 4 * digit) & 0xf];
    return 6;
}

/* The character at bytes, which is not plain, in its escaped form; *out_used bytes were read. */
static size_t escape_one(const char *bytes, size_t count, char out[static 6], size_t *out_used)
{
    *out_used = 1;
    if (*bytes == '"' || *bytes == '\\') {
        out[0] = '\\';
        out[1] = *bytes;
        return 2;
    }
    uint32_t code_point = 0;
    size_t length = utf8_decode(bytes, count, &code_point);
    if (length == 0) {
        return utf8_encode(0xfffd, out);
    }
    *out_used = length;
    if (is_unsafe(code_point))
        return escape_code_point(code_point, out);
    memcpy(out, bytes, length);
    return length;
}

void slog_line_put_escaped(struct line *line, const char *bytes, size_t count)
{
    size_t room = line->limit > line->len ? line->limit - line->len - 1 : 0;
    size_t end = line->len + MIN(room, (size_t)SLOG_VALUE_MAX);
    size_t at = 0;
    while (at < count) {
        size_t plain = plain_prefix(bytes + at, count - at);
        size_t run = MIN(plain, end - line->len);
        memcpy(line->data + line->len, bytes + at, run);
        line->len += run;
        at += run;
        if (at == count)
            return;
        if (run < plain) {
            line->truncated = true;
            return;
        }
        char escaped[6];
        size_t used = 0;
        size_t length = escape_one(bytes + at, count - at, escaped, &used);
        if (length > end - line->len) {
            line->truncated = true;
            return;
        }
        memcpy(line->data + line->len, escaped, length);
        line->len += length;
        at += used;
    }
}

bool slog_line_put_quoted(struct line *line, const char *bytes, size_t count)
{
    if (line->limit - line->len < 2) {
        line->truncated = true;
        return false;
    }
    line->data[line->len++] = '"';
    slog_line_put_escaped(line, bytes, count);
    line->data[line->len++] = '"';
    return true;
}

void slog_line_give_up(struct line *line, size_t mark)
{
    line->len = mark;
    line->truncated = true;
}

void slog_line_end(struct line *line, const char *text)
{
    line->limit = sizeof(line->data);
    slog_line_put(line, text, strlen(text));
}
