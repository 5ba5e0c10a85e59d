/* Who asks a PostgreSQL that may not be there, and what is heard of it. */
#ifndef SQL_TEST_PING_H
#define SQL_TEST_PING_H

#include <pthread.h>

#include "sql_test.h"

#define BACK_MS 2000 /* by then everything works again */

/* From a thread of its own, which runs ping_run(). */
struct ping {
    struct sql_db *db;
    pthread_t thread;
    struct err *e;
    int64_t took_ms;
};
void *ping_run(void *ping);

/* It is known to be away: a hundred requests take no longer than one did. */
void expect_fast_failures(struct sql_db *db);
void expect_back(struct sql_db *db);
/* By its pg_backend_pid(); it is gone when this returns. */
void terminate(struct sql_conn *other, int64_t process);

#endif
