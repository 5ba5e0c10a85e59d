#include "ping.h"

#include <base/clock.h>

static void *run_ping(void *data)
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

void ping_start(struct ping *ping, struct sql_db *db)
{
    *ping = (struct ping){.db = db};
    assert_int_equal(pthread_create(&ping->thread, NULL, run_ping, ping), 0);
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
