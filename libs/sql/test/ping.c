#include "ping.h"

#include <base/clock.h>

void *ping_run(void *data)
{
    struct ping *ping = data;
    struct ctx ctx;
    ctx_init(&ctx, NULL, 30000);
    int64_t begin_ms = clock_mono_ms();
    ping->e = sql_ping(ping->db, &ctx);
    ping->took_ms = clock_mono_ms() - begin_ms;
    ctx_deinit(&ctx);
    return NULL;
}

void expect_fast_failures(struct sql_db *db)
{
    int64_t begin_ms = clock_mono_ms();
    for (int i = 0; i < 100; i++) {
        char line[ERR_LINE];
        struct err *e = sql_ping(db, NULL);
        err_format(e, line, sizeof(line));
        CHECK(line, strstr(line, "the database is away: "));
        CHECK(line, err_retry_after_ms(e) > 0);
        expect(e, &ERR_UPSTREAM_UNAVAILABLE, line);
    }
    assert_in_range(clock_mono_ms() - begin_ms, 0, SOON_MS);
}

void expect_back(struct sql_db *db)
{
    int64_t begin_ms = clock_mono_ms();
    struct err *e = sql_ping(db, NULL);
    while (err_is(e, &ERR_UPSTREAM_UNAVAILABLE) && clock_mono_ms() - begin_ms < BACK_MS) {
        err_free(e);
        OK(ctx_sleep(NULL, 10));
        e = sql_ping(db, NULL);
    }
    OK(e);
}

void terminate(struct sql_conn *other, int64_t process)
{
    int64_t is_gone = 0;
    OK(sql_fetch_i64(other, NULL, &is_gone,
                     "SELECT pg_terminate_backend(CAST($1 AS INTEGER), 10000)", SQL_I64(process)));
    assert_int_equal(is_gone, 1);
}
