#include "key.h"

#include <base/str.h>

/* The secret word that begins with this small letter: each begins with another. */
static struct str secret_word(char first)
{
    switch (first) {
    case 'a':
        return STR("authorization");
    case 'c':
        return STR("cookie");
    case 'k':
        return STR("key");
    case 'p':
        return STR("password");
    case 's':
        return STR("secret");
    case 't':
        return STR("token");
    default:
        return STR("");
    }
}

static bool is_secret_word(const char *word, size_t len)
{
    struct str secret = secret_word((char)(word[0] | 0x20));
    bool is_plural = len > 3 && (word[len - 1] | 0x20) == 's';
    return len > 0 && len - is_plural == secret.len &&
           str_equal_nocase_n(word, secret.data, secret.len);
}

static bool is_lower(char byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool is_upper(char byte)
{
    return byte >= 'A' && byte <= 'Z';
}

/* A word ends where the letters end, and before a capital that follows a small letter. */
static size_t word_length(const char *text)
{
    size_t len = 0;
    while (is_lower(text[len]) || (is_upper(text[len]) && (len == 0 || !is_lower(text[len - 1]))))
        len++;
    return len;
}

bool slog_key_is_secret(const char *key)
{
    while (*key != '\0') {
        size_t len = word_length(key);
        if (is_secret_word(key, len))
            return true;
        key += len > 0 ? len : 1;
    }
    return false;
}

bool slog_key_is_reserved(const char *key)
{
    switch (key[0]) {
    case 'l':
        return str_equal(key, "level");
    case 'm':
        return str_equal(key, "msg");
    case 'r':
        return str_equal(key, "request_id");
    case 's':
        return str_equal(key, "service") || str_equal(key, "span_id");
    case 't':
        return str_equal(key, "time") || str_equal(key, "trace_id") || str_equal(key, "truncated");
    default:
        return false;
    }
}
