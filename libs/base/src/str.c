#include <base/str.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool str_copy(char *out, size_t cap, const char *text)
{
    return str_copy_n(out, cap, text, strlen(text));
}

bool str_copy_n(char *out, size_t cap, const char *bytes, size_t count)
{
    if (count >= cap)
        return false;
    if (count > 0)
        memmove(out, bytes, count);
    out[count] = '\0';
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool str_equal(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

bool str_equal_nocase(const char *a, const char *b)
{
    size_t length = strlen(a);
    return length == strlen(b) && str_equal_nocase_n(a, b, length);
}

bool str_equal_nocase_n(const char *a, const char *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool str_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends_with(const char *text, const char *suffix)
{
    size_t text_len = strlen(text);
    size_t suffix_len = strlen(suffix);
    return text_len >= suffix_len && str_equal(text + text_len - suffix_len, suffix);
}

void str_lower(char *text)
{
    for (; *text; text++)
        *text = lower(*text);
}

bool parse_i64(const char *text, int64_t min, int64_t max, int64_t *out)
{
    return parse_i64_n(text, strlen(text), min, max, out);
}

bool parse_i64_n(const char *bytes, size_t count, int64_t min, int64_t max, int64_t *out)
{
    bool negative = count > 0 && bytes[0] == '-';
    size_t first = negative ? 1 : 0;
    if (first == count || (bytes[first] == '0' && count > 1))
        return false;
    /* Summed up below zero, where the larger half of the range lies. */
    int64_t number = 0;
    for (size_t i = first; i < count; i++) {
        if (bytes[i] < '0' || bytes[i] > '9')
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, bytes[i] - '0', &number))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, number, &number))
        return false;
    if (number < min || number > max)
        return false;
    *out = number;
    return true;
}

size_t f64_format(double number, char out[static F64_TEXT])
{
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(out, F64_TEXT, "%.*g", digits, number);
        if (strtod(out, NULL) == number)
            break;
    }
    return (size_t)len;
}
