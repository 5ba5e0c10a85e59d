#include "json_keys.h"

#include <stdlib.h>
#include <string.h>

#include <base/macros.h>
#include <base/str.h>

/* Up to this many names, comparing each with each is faster than sorting. */
#define FEW_KEYS 16

void json_keys_init(struct json_keys *keys)
{
    keys->rows = keys->first;
    keys->count = 0;
    keys->cap = ARRAY_LEN(keys->first);
}

void json_keys_deinit(struct json_keys *keys)
{
    if (keys->rows != keys->first)
        free(keys->rows);
}

/* As there are fewer keys than bytes of input, the product does not overflow. */
static bool grow(struct json_keys *keys)
{
    struct json_key *old = keys->rows == keys->first ? NULL : keys->rows;
    struct json_key *rows = realloc(old, keys->cap * 2 * sizeof(*rows));
    if (!rows)
        return false;
    if (!old)
        memcpy(rows, keys->first, sizeof(keys->first));
    keys->rows = rows;
    keys->cap *= 2;
    return true;
}

bool json_keys_push(struct json_keys *keys, struct json_key key)
{
    if (keys->count == keys->cap && !grow(keys))
        return false;
    keys->rows[keys->count++] = key;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits after "\u" at text. */
static bool read_unit(const char *text, const char *end, uint32_t *out_unit)
{
    if (end - text < 6 || text[0] != '\\' || text[1] != 'u')
        return false;
    uint32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return false;
        unit = unit << 4 | (uint32_t)digit;
    }
    *out_unit = unit;
    return true;
}

static size_t unescape_unicode(const char *text, const char *end, uint32_t *out_code_point)
{
    uint32_t high, low;
    if (!read_unit(text, end, &high) || high == 0)
        return 0;
    if (high < 0xd800 || high > 0xdfff) {
        *out_code_point = high;
        return 6;
    }
    if (high > 0xdbff || !read_unit(text + 6, end, &low) || low < 0xdc00 || low > 0xdfff)
        return 0;
    *out_code_point = 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00));
    return 12;
}

size_t json_unescape(const char *text, const char *end, uint32_t *out_code_point)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (end - text < 2)
        return 0;
    if (text[1] == 'u')
        return unescape_unicode(text, end, out_code_point);
    const char *letter = memchr(letters, text[1], sizeof(letters) - 1);
    if (!letter)
        return 0;
    *out_code_point = (unsigned char)meanings[letter - letters];
    return 2;
}

/* The next code point of a key, which has been checked and is not at its end. */
static uint32_t next_code_point(const char **at, const char *end)
{
    uint32_t code_point = 0;
    *at += **at == '\\' ? json_unescape(*at, end, &code_point)
                        : utf8_decode(*at, (size_t)(end - *at), &code_point);
    return code_point;
}

static int compare_escaped(const struct json_key *a, const struct json_key *b)
{
    const char *a_at = a->text, *a_end = a->text + a->len;
    const char *b_at = b->text, *b_end = b->text + b->len;
    while (a_at < a_end && b_at < b_end) {
        uint32_t a_next = next_code_point(&a_at, a_end);
        uint32_t b_next = next_code_point(&b_at, b_end);
        if (a_next != b_next)
            return a_next < b_next ? -1 : 1;
    }
    return (a_at < a_end) - (b_at < b_end);
}

/* The order of code points, which for UTF-8 is that of bytes. */
static int compare_keys(const void *left, const void *right)
{
    const struct json_key *a = left, *b = right;
    if (a->escaped || b->escaped)
        return compare_escaped(a, b);
    int order = memcmp(a->text, b->text, MIN(a->len, b->len));
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static bool are_equal(const struct json_key *a, const struct json_key *b)
{
    if (a->escaped || b->escaped)
        return compare_escaped(a, b) == 0;
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static const char *find_among_few(const struct json_key *keys, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (are_equal(&keys[i], &keys[j]))
                return keys[i].text;
    return NULL;
}

static const char *find_among_many(struct json_key *keys, size_t count)
{
    qsort(keys, count, sizeof(keys[0]), compare_keys);
    for (size_t i = 1; i < count; i++)
        if (are_equal(&keys[i], &keys[i - 1]))
            return MAX(keys[i].text, keys[i - 1].text);
    return NULL;
}

const char *json_keys_end_object(struct json_keys *keys, size_t first)
{
    struct json_key *own = keys->rows + first;
    size_t count = keys->count - first;
    keys->count = first;
    return count <= FEW_KEYS ? find_among_few(own, count) : find_among_many(own, count);
}
