/*
 * The request target and the host (RFC 9112 section 3.2, RFC 3986).
 *
 * Routes are matched on the same bytes that the upstream gets, so a path must have one reading:
 * percent-encoded unreserved characters are decoded (RFC 3986 section 6.2.2.2), and what servers
 * are known to read differently is refused: empty segments, "." and ".." in any spelling, encoded
 * slashes and backslashes, encoded control characters, bytes that no URI has.
 *
 * Pure; the path is normalised in place.
 */
#ifndef GATEWAY_TARGET_H
#define GATEWAY_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "fields.h"

#define TARGET_MAX 8192 /* bytes of a request target */

struct target {
    struct span path;  /* normalised, begins with "/" (or is "*") */
    struct span query; /* with its "?"; empty when there is none */
    struct span host;  /* of the absolute form, with its port; empty for the others */
};

/* NULL, or what is wrong (static text). */
const char *target_parse(char *base, struct span text, struct target *out_target);

/* uri-host [ ":" port ] of letters, digits, "-", "." and "_", or an IPv6 address in brackets. */
bool host_is_valid(struct str host);

#endif
