#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

#include <slog/slog.h>

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add(&snapshot->refs, 1);
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub(&snapshot->refs, 1) > 1)
        return;
    for (size_t i = 0; snapshot->upstreams && i < routes_upstream_count(snapshot->routes); i++)
        free(snapshot->upstreams[i].at);
    free(snapshot->upstreams);
    routes_unref(snapshot->routes);
    free(snapshot);
}

static struct err *copy_addresses(const union address *from, size_t count, struct addresses *out)
{
    union address *copy = malloc(MAX(count, 1) * sizeof(*copy));
    if (!copy)
        return err_oom();
    memcpy(copy, from, count * sizeof(*copy));
    *out = (struct addresses){copy, count};
    return NULL;
}

static struct err *resolve_upstream(const struct upstream_config *config, bool numeric_only,
                                    const struct addresses *former, struct addresses *out)
{
    union address found[SNAPSHOT_ADDRESSES];
    size_t count = 0;
    for (size_t i = 0; i < config->server_count; i++) {
        size_t added = 0;
        _cleanup_(err_free) struct err *e = address_resolve(
            config->servers[i], numeric_only, found + count, SNAPSHOT_ADDRESSES - count, &added);
        if (err_is(e, &ERR_OUT_OF_MEMORY))
            return TAKE(e);
        if (e && !numeric_only)
            slog_warn("upstream server has no address", SLOG_STR("upstream", config->name),
                      SLOG_STR("server", config->servers[i]), SLOG_ERR(e));
        count += added;
    }
    if (count == 0 && former)
        return copy_addresses(former->at, former->count, out);
    return copy_addresses(found, count, out);
}

static const struct addresses *find_former(const struct snapshot *former, const char *name)
{
    size_t index = former ? routes_find_upstream(former->routes, name) : SIZE_MAX;
    return index == SIZE_MAX ? NULL : &former->upstreams[index];
}

struct err *snapshot_new(struct routes *routes, const struct snapshot *former, bool numeric_only,
                         struct snapshot **out_snapshot)
{
    _cleanup_(snapshot_unref) struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot)
        return err_oom();
    atomic_init(&snapshot->refs, 1);
    snapshot->routes = routes_ref(routes);
    size_t count = routes_upstream_count(routes);
    snapshot->upstreams = calloc(count + 1, sizeof(*snapshot->upstreams));
    if (!snapshot->upstreams)
        return err_oom();
    for (size_t i = 0; i < count; i++) {
        const struct upstream_config *config = routes_upstream(routes, i);
        TRY(resolve_upstream(config, numeric_only, find_former(former, config->name),
                             &snapshot->upstreams[i]));
    }
    *out_snapshot = TAKE(snapshot);
    return NULL;
}

static bool has_address(const struct addresses *addresses, const union address *address)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (address_equal(&addresses->at[i], address))
            return true;
    return false;
}

/* Name servers give the same addresses in changing order. */
static bool same_addresses(const struct addresses *a, const struct addresses *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (!has_address(b, &a->at[i]))
            return false;
    return a->count == b->count;
}

bool snapshot_equal(const struct snapshot *a, const struct snapshot *b)
{
    for (size_t i = 0; a->routes == b->routes && i < routes_upstream_count(a->routes); i++)
        if (!same_addresses(&a->upstreams[i], &b->upstreams[i]))
            return false;
    return a->routes == b->routes;
}
