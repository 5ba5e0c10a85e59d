/* The NATS side: what other services ask of the directory. */
#include "handlers.h"
#include "service.h"
#include "store.h"

struct err *method_create(struct bus_call *call)
{
    struct service *service = call->state;
    return store_create(service->db, call->ctx, call->in, STATUS_PENDING, call->out);
}

struct err *method_activate(struct bus_call *call)
{
    struct service *service = call->state;
    const struct user_id *in = call->in;
    return store_activate(service->db, call->ctx, in->id, call->out);
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
