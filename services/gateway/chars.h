/*
 * Classes of bytes in HTTP messages (RFC 9110 section 5.6.2, RFC 9112, RFC 3986), one table look-up
 * each. Pure.
 */
#ifndef GATEWAY_CHARS_H
#define GATEWAY_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum char_class {
    CHAR_TOKEN = 1,      /* tchar: methods and header names */
    CHAR_VALUE = 2,      /* in a header's value: tab, space, visible, obs-text */
    CHAR_UNRESERVED = 4, /* letters, digits, - . _ ~ */
    CHAR_PATH = 8,       /* pchar and '/', without '%' */
    CHAR_QUERY = 16,     /* visible ASCII but '#' */
    CHAR_HOST = 32,      /* letters, digits, - . _ */
    CHAR_NAME = 64,      /* letters, digits, -: header names that nobody reads as another */
};

extern const uint8_t char_classes[256];

static inline bool char_is(char byte, enum char_class class)
{
    return char_classes[(unsigned char)byte] & class;
}

static inline bool chars_are(const char *bytes, size_t count, enum char_class class)
{
    for (size_t i = 0; i < count; i++)
        if (!char_is(bytes[i], class))
            return false;
    return true;
}

static inline char char_lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

/* The value of a hexadecimal digit; -1 for any other byte. */
static inline int char_hex(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = char_lower(byte);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

#endif
