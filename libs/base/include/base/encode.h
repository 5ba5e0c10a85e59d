/*
 * Base64url without padding (RFC 4648 section 5, as RFC 7515 uses it) and lower-case hex.
 * Decoding is strict: no padding, no line breaks, no unused bits set, so each value has one text.
 * Pure and thread-safe. Decoding takes a time that depends on the text: compare secrets as bytes
 * with secret_equal(), never as text.
 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#define BASE64URL_LEN(bytes)     (((bytes)*4 + 2) / 3)
#define BASE64URL_DECODED_MAX(n) ((n)*3 / 4)

/* out holds BASE64URL_LEN(count) + 1 bytes; returns the length without the NUL. */
size_t base64url_encode(char *out, const void *bytes, size_t count);
/* False, out untouched beyond cap, when text is not strict base64url or does not fit. */
bool base64url_decode(void *out, size_t cap, const char *text, size_t count, size_t *out_len);

/* out holds 2 * count + 1 bytes. */
void hex_encode(char *out, const void *bytes, size_t count);
bool hex_decode(void *out, size_t cap, const char *text, size_t count, size_t *out_len);

#endif
