/*
 * A worker pool processes jobs: it counts the primes below the number given (default 1000000) in
 * ranges, on four threads. The queue is bounded: when it refuses, main() takes in a result first.
 */
#include <stdio.h>

#include <base/str.h>
#include <conc/chan.h>
#include <conc/pool.h>

#define JOBS        100
#define DEADLINE_MS 30000

struct job {
    struct chan *finished;
    int64_t from, to; /* the range, without `to` */
    int64_t primes;   /* the result */
};

static bool is_prime(int64_t number)
{
    for (int64_t divisor = 2; divisor * divisor <= number; divisor++) {
        if (number % divisor == 0)
            return false;
    }
    return number >= 2;
}

static void count_primes(void *data)
{
    struct job *job = data;
    for (int64_t number = job->from; number < job->to; number++)
        job->primes += is_prime(number);
    /* The channel has room for every job, so this never waits. */
    if (chan_try_send(job->finished, job) != CHAN_OK)
        abort();
}

static struct err *take_result(struct chan *finished, struct ctx *ctx, int64_t *total)
{
    void *item = NULL;
    if (chan_receive(finished, ctx, &item) != CHAN_OK)
        return ctx_check(ctx);
    *total += ((const struct job *)item)->primes;
    return NULL;
}

static struct err *count_in_parallel(struct ctx *ctx, int64_t limit, int64_t *out_total)
{
    static const struct pool_options options = {.name = "primes", .workers = 4, .queue = 8};
    struct job jobs[JOBS];
    size_t pending = 0;
    int64_t total = 0;
    /* Freed in reverse: the pool first, which finishes its jobs; they use the channel. */
    _cleanup_(chan_free) struct chan *finished = NULL;
    TRY(chan_new(JOBS, NULL, &finished));
    _cleanup_(pool_free) struct pool *pool = NULL;
    TRY(pool_new(&options, &pool));
    for (int64_t i = 0; i < JOBS;) {
        jobs[i] = (struct job){finished, limit * i / JOBS, limit * (i + 1) / JOBS, 0};
        struct err *e = pool_submit(pool, count_primes, &jobs[i]);
        if (!e) {
            i++;
            pending++;
            continue;
        }
        if (!err_is(e, &ERR_OVERLOADED) || pending == 0)
            return e;
        err_free(e);
        TRY(take_result(finished, ctx, &total));
        pending--;
    }
    for (; pending > 0; pending--)
        TRY(take_result(finished, ctx, &total));
    *out_total = total;
    return NULL;
}

int main(int argc, char **argv)
{
    int64_t limit = 1000000, total = 0;
    if (argc > 1 && !parse_i64(argv[1], 0, 10000000, &limit)) {
        fprintf(stderr, "usage: %s [number up to 10000000]\n", argv[0]);
        return 2;
    }
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, NULL, DEADLINE_MS);
    _cleanup_(err_free) struct err *e = count_in_parallel(&ctx, limit, &total);
    if (e) {
        char line[ERR_LINE];
        err_format(e, line, sizeof(line));
        fprintf(stderr, "%s\n", line);
        return 1;
    }
    printf("there are %lld primes below %lld\n", (long long)total, (long long)limit);
    return 0;
}
