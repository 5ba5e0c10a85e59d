/*
 * Stands between the library and PostgreSQL: passes on what both say, counts round trips, and fails
 * as networks and servers do. Of the server, everything from the URL stays but where it is.
 */
#ifndef SQL_TEST_RELAY_H
#define SQL_TEST_RELAY_H

#include "sql_test.h"

enum relay_mode {
    RELAY_PASS,
    RELAY_SILENT,     /* takes connections and says nothing on any of them */
    RELAY_REFUSE,     /* ends all connections and takes none */
    RELAY_CUT,        /* the next word of a client ends its connection, unheard; then PASS */
    RELAY_CUT_ANSWER, /* the next word of a client is heard, and the answer cut; then PASS */
};

struct relay;
/* To the server of the backend under test. */
struct relay *relay_new(void);
void relay_free(struct relay *relay);
DEFINE_CLEANUP(struct relay *, relay_free);

/* In effect when it returns. */
void relay_set(struct relay *relay, enum relay_mode mode);
/* The same database by way of the relay, with these further parameters ("": none). */
void relay_url(const struct relay *relay, const char *parameters, char out[static URL_MAX]);
/* So far: how often a client had to wait for an answer. What it sends in two pieces counts twice if
 * the answer to the first comes in between; an answer is held for hold_ms (0: not) for the second. */
int64_t relay_round_trips(struct relay *relay);
void relay_hold(struct relay *relay, int hold_ms);

#endif
