/* Who asks a PostgreSQL that may not be there, and what is heard of it. */
#ifndef SQL_TEST_PING_H
#define SQL_TEST_PING_H

#include <pthread.h>

#include "sql_test.h"

#define BACK_MS 2000 /* by then everything works again */

/* From a thread of its own, which is to be joined. */
struct ping {
    struct sql_db *db;
    pthread_t thread;
    struct err *e;
    int64_t took_ms;
};
void ping_start(struct ping *ping, struct sql_db *db);

/* It is known to be away: a hundred requests take no longer than one did. */
void expect_fast_failures(struct sql_db *db);
void expect_back(struct sql_db *db);

#endif
