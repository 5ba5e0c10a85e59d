/* The NATS side: what other services ask of the directory. */
#include "handlers.h"
#include "service.h"
#include "store.h"

struct err *method_create(struct bus_call *call)
{
    struct service *service = call->state;
    return store_create(service->db, service->outbox, call->ctx, call->in, STATUS_PENDING,
                        call->out);
}

struct err *method_activate(struct bus_call *call)
{
    struct service *service = call->state;
    const struct user_id *in = call->in;
    return store_activate(service->db, service->outbox, call->ctx, in->id, call->out);
}

struct err *method_get(struct bus_call *call)
{
    struct service *service = call->state;
    const struct user_id *in = call->in;
    return store_fetch(service->db, call->ctx, in->id, call->out);
}

struct err *method_find_by_email(struct bus_call *call)
{
    struct service *service = call->state;
    const struct user_email *in = call->in;
    return store_fetch_by_email(service->db, call->ctx, in->email, call->out);
}

/* Who was there all the time is in a page, whatever comes and goes meanwhile. */
struct err *method_list(struct bus_call *call)
{
    struct service *service = call->state;
    const struct user_list_query *in = call->in;
    struct user_list *out = call->out;
    struct user *users = NULL;
    size_t count = 0, limit = (size_t)in->limit;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(service->db, call->ctx, &conn));
    TRY(store_fetch_page(conn, call->ctx, in->cursor ? in->cursor : "", limit, call->arena, &users,
                         &count));
    *out = (struct user_list){
        .items = users,
        .count = count,
        .next_cursor = count == limit ? users[count - 1].id : NULL,
    };
    return NULL;
}
