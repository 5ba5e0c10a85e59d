/*
 * Bounded C strings, UTF-8, and exact number parsing. All functions are pure and thread-safe.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/macros.h>

/* Bytes that belong to someone else; not NUL-terminated. */
struct str {
    const char *data;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_FORMAT   "%.*s"
#define STR_ARGS(s)  (int)(s).len, (s).data

/* Copies with NUL; false (and out untouched) when it would not fit in cap bytes. */
bool str_copy(char *out, size_t cap, const char *text);
bool str_copy_n(char *out, size_t cap, const char *bytes, size_t count);

bool str_equal(const char *a, const char *b);
bool str_equal_nocase(const char *a, const char *b); /* ASCII case only, whatever the locale */
bool str_equal_nocase_n(const char *a, const char *b, size_t count);
bool str_starts_with(const char *text, const char *prefix);
bool str_ends_with(const char *text, const char *suffix);
/* ASCII letters to lower case, in place. */
void str_lower(char *text);

/* The whole string must be a decimal number within [min, max]: no spaces, no plus, no leading zero
 * but "0" itself. out untouched on failure. */
bool parse_i64(const char *text, int64_t min, int64_t max, int64_t *out);
bool parse_i64_n(const char *bytes, size_t count, int64_t min, int64_t max, int64_t *out);

/* The shortest text of 15 to 17 digits that reads back as the same number, which must be finite;
 * returns its length. With the decimal point of the "C" locale. */
#define F64_TEXT 32
size_t f64_format(double number, char out[static F64_TEXT]);

/* Strict UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
bool utf8_is_valid(const char *bytes, size_t count);
/* Code points in valid UTF-8. */
size_t utf8_length(const char *bytes, size_t count);
/* Decodes one code point; returns its byte length, 0 if invalid. */
size_t utf8_decode(const char *bytes, size_t count, uint32_t *out_code_point);
/* Encodes into out (4 bytes at least); returns the byte length, 0 for a surrogate or beyond. */
size_t utf8_encode(uint32_t code_point, char *out);

#endif
