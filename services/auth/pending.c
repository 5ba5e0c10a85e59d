/*
 * Pending accounts: register.c stored the credentials and did not see the end. Most are settled by
 * the event that tells of the user; here the directory is asked about the others.
 */
#include "directory.h"
#include "handlers.h"
#include "kinds.h"
#include "projection.h"

static struct err *settle(const struct service *service, struct ctx *ctx, const char *user_id)
{
    struct user user = {0};
    struct err *e = directory_get(service->bus, ctx, user_id, &user);
    bool is_there = !e;
    if (e && !err_is(e, &DIRECTORY_NO_USER))
        return e;
    err_free(e);
    if (is_there)
        TRY(projection_tell(service, ctx, &user));
    return store_settle(service->db, ctx, user_id, is_there);
}

struct err *settle_due(const struct service *service, struct ctx *ctx)
{
    for (;;) {
        char user_id[UUID_TEXT];
        bool found = false;
        TRY(store_find_due(service->db, ctx, user_id, &found));
        if (!found)
            return NULL;
        TRY(settle(service, ctx, user_id));
    }
}
