/* What the route and method tables of service.c refer to. */
#ifndef USERS_HANDLERS_H
#define USERS_HANDLERS_H

#include <bus/bus.h>
#include <http/http.h>

/* read.c */
http_handler read_me, read_user, list_users;
/* change.c */
http_handler invite_user, patch_me, patch_user, delete_me, delete_user;
/* methods.c: users.v1.* on NATS */
struct err *create_pending(struct bus_call *call);
struct err *activate(struct bus_call *call);
struct err *get(struct bus_call *call);
struct err *find_by_email(struct bus_call *call);

#endif
