/*
 * The path of a request target (RFC 3986 section 3.3): split at its slashes first, then each
 * segment is checked and percent-decoded, so that an encoded slash can never make a new segment.
 */
#ifndef HTTP_PATH_H
#define HTTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include <base/arena.h>
#include <base/macros.h>
#include <base/str.h>
#include <err/err.h>

#define PATH_SEGMENTS_MAX 32

struct path {
    struct str segments[PATH_SEGMENTS_MAX]; /* the last one is empty after a trailing slash */
    size_t count;                           /* 0 for "/" */
    bool is_too_deep; /* more than PATH_SEGMENTS_MAX: no route has that many */
};

/* Segments are borrowed from text, or from the arena where something was decoded. ERR_BAD_REQUEST:
 * a character that RFC 3986 does not allow, a broken escape, an encoded slash or control character,
 * bytes that are not UTF-8, an empty segment ("//"), "." or "..". */
struct err *http_path_split(const char *text, struct arena *arena, struct path *out_path)
    MUST_CHECK;

/* Resolves %XX (and, in queries, the plus sign) into out, which has room for len bytes. False when
 * an escape is broken. */
bool http_percent_decode(const char *text, size_t len, bool plus_is_space, char *out,
                         size_t *out_len);

#endif
