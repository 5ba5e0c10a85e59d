/* SHA-256, by OpenSSL, in hex. */
#ifndef HTTP_DIGEST_H
#define HTTP_DIGEST_H

#include <base/macros.h>
#include <base/str.h>
#include <err/err.h>

#define DIGEST_TEXT 65

/* Of the parts, each with its length before it, so that none runs into the next. */
struct err *http_digest(const struct str *parts, size_t count, char out[static DIGEST_TEXT])
    MUST_CHECK;

#endif
