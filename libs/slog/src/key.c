#include "key.h"

#include <string.h>

#include <base/macros.h>
#include <base/str.h>

static const struct str secret_words[] = {
    STR("password"), STR("token"), STR("secret"), STR("authorization"), STR("cookie"), STR("key"),
};

static bool is_secret_word(const char *word, size_t len)
{
    if (len > 3 && (word[len - 1] | 0x20) == 's')
        len--;
    for (size_t i = 0; i < ARRAY_LEN(secret_words); i++)
        if (len == secret_words[i].len && str_equal_nocase_n(word, secret_words[i].data, len))
            return true;
    return false;
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
    static const char *const reserved[] = {"time",     "level",   "service", "request_id",
                                           "trace_id", "span_id", "msg",     "truncated"};
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (key[0] == reserved[i][0] && strcmp(key, reserved[i]) == 0)
            return true;
    return false;
}
