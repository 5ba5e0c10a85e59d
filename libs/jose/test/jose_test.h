/* Shared by the tests of jose. */
#ifndef JOSE_TEST_H
#define JOSE_TEST_H

#include "check.h"

#include <base/encode.h>
#include <jose/jose.h>

#include "vectors.h"

/* Frees e, whose outermost kind must be this one (NULL: no error). */
void expect_kind(struct err *e, const struct err_kind *kind, const char *what);

/* These fail the test when they do not succeed. */
struct jose_key *parse_key(const char *json);
struct jose_key *new_key(enum jose_alg alg);
struct jose_keys *set_of(struct jose_key *key);
struct jose_keys *set_of_two(struct jose_key *a, struct jose_key *b);

/* A copy of the JWK with another kid (NULL: none) and without its private part, if asked. */
struct jose_key *rename_key(const struct jose_key *key, const char *kid, bool with_private);

/* header and payload as they are, under a true signature: what a token that is wrong in one point
 * only looks like. */
void forge(const struct jose_key *key, const char *header, const char *payload, struct buf *out);
/* The same parts under any bytes. */
void forge_raw(const char *header, const char *payload, const void *signature, size_t len,
               struct buf *out);

#endif
