/* What a postgres:// URL says: libpq parses it, and what its functions that do not block leave to
 * their caller is done here: to go from host to host, each with a time of its own. */
#include <string.h>

#include <base/secret.h>
#include <base/str.h>

#include "postgres.h"

/* Of one host, unless the URL has a connect_timeout. */
#define CONNECT_MS      2000
#define CONNECT_MAX_S   600
#define SECOND_MS       1000
#define HOSTS_SEPARATOR ','

const char *sql_postgres_option(const struct postgres_target *target, const char *keyword)
{
    for (const PQconninfoOption *option = target->options; option->keyword; option++)
        if (str_equal(option->keyword, keyword))
            return option->val ? option->val : "";
    return "";
}

static size_t count_parts(const char *list)
{
    size_t count = 1;
    for (; *list; list++)
        count += *list == HOSTS_SEPARATOR;
    return count;
}

bool sql_postgres_part(const char *list, size_t index, char out[static HOST_TEXT])
{
    if (count_parts(list) == 1) /* one port for all hosts */
        index = 0;
    for (; index > 0; index--)
        list = strchr(list, HOSTS_SEPARATOR) + 1;
    return str_copy_n(out, HOST_TEXT, list, strcspn(list, ","));
}

static struct err *find_hosts(struct postgres_target *target)
{
    const char *host = sql_postgres_option(target, "host");
    const char *address = sql_postgres_option(target, "hostaddr");
    size_t hosts = count_parts(*address ? address : host);
    size_t ports = count_parts(sql_postgres_option(target, "port"));
    bool is_paired = !*host || !*address || count_parts(host) == hosts;
    if (!is_paired || (ports != 1 && ports != hosts) || hosts > HOSTS_MAX)
        return err_new(
            &SQL_FAILED,
            "the PostgreSQL URL has %zu hosts and %zu ports, or hosts and hostaddrs that "
            "do not match, or more than %d hosts",
            hosts, ports, HOSTS_MAX);
    target->hosts = hosts;
    char part[HOST_TEXT];
    for (size_t i = 0; i < hosts; i++)
        if (!sql_postgres_part(host, i, part) || !sql_postgres_part(address, i, part))
            return err_new(&SQL_FAILED, "a host in the PostgreSQL URL is too long");
    return NULL;
}

static struct err *find_timeout(struct postgres_target *target)
{
    const char *text = sql_postgres_option(target, "connect_timeout");
    int64_t seconds = 0;
    if (*text && !parse_i64(text, 0, CONNECT_MAX_S, &seconds))
        return err_new(&SQL_FAILED, "connect_timeout in the PostgreSQL URL is not 0 to %d seconds",
                       CONNECT_MAX_S);
    target->connect_ms = seconds > 0 ? seconds * SECOND_MS : CONNECT_MS;
    return NULL;
}

static struct err *parse_url(struct postgres_target *target, const char *url)
{
    char *mistake = NULL;
    target->options = sql_pq.PQconninfoParse(url, &mistake);
    if (!target->options) {
        bool is_oom = !mistake;
        sql_pq.PQfreemem(mistake); /* it may quote the password */
        return is_oom ? err_oom() : err_new(&SQL_FAILED, "the PostgreSQL URL is malformed");
    }
    target->is_shuffled = str_equal(sql_postgres_option(target, "load_balance_hosts"), "random");
    TRY(find_hosts(target));
    return find_timeout(target);
}

struct err *sql_postgres_target_new(const struct sql_options *options, struct target **out_target)
{
    TRY(sql_libpq_load());
    struct postgres_target *target = calloc(1, sizeof(*target));
    if (!target)
        return err_oom();
    target->is_unprepared = options->is_unprepared;
    struct err *e = parse_url(target, options->url);
    if (e)
        sql_postgres_target_free(&target->base);
    else
        *out_target = &target->base;
    return e;
}

void sql_postgres_target_free(struct target *base)
{
    struct postgres_target *target = postgres_target_of(base);
    for (PQconninfoOption *option = target->options; option && option->keyword; option++)
        if (option->val)
            secret_wipe(option->val, strlen(option->val));
    sql_pq.PQconninfoFree(target->options);
    free(target);
}
