/*
 * The directory of users as auth sees it: the requests to users.v1.* on NATS. Each call blocks
 * until the answer comes or the ctx ends; any thread may call.
 *
 * Errors: the two kinds below, ERR_UPSTREAM_UNAVAILABLE when nobody answers, ERR_UPSTREAM_TIMEOUT.
 */
#ifndef AUTH_DIRECTORY_H
#define AUTH_DIRECTORY_H

#include <bus/bus.h>
#include <model/model.h>

/* The codes that `users` answers with. */
extern const struct err_kind DIRECTORY_EMAIL_TAKEN;
extern const struct err_kind DIRECTORY_NO_USER;

enum directory_role { ROLE_USER, ROLE_ADMIN };
enum directory_status { STATUS_ACTIVE, STATUS_SUSPENDED, STATUS_PENDING };
extern const char *const directory_roles[];
extern const char *const directory_statuses[];

struct user {
    char id[UUID_TEXT];
    char email[EMAIL_TEXT];
    char name[MODEL_TEXT(100)];
    int role;
    int status;
    bool email_verified;
    int64_t created_at_ms;
    int64_t updated_at_ms;
};
extern const struct model user_model;

struct err *directory_create(struct bus *bus, struct ctx *ctx, const char *email, const char *name,
                             enum directory_role role, struct user *out_user) MUST_CHECK;
/* Idempotent, so it is tried again when no answer comes. DIRECTORY_NO_USER: another registration of
 * the same address outran this one. */
struct err *directory_activate(struct bus *bus, struct ctx *ctx, const char *id,
                               struct user *out_user) MUST_CHECK;
struct err *directory_get(struct bus *bus, struct ctx *ctx, const char *id, struct user *out_user)
    MUST_CHECK;
struct err *directory_find_by_email(struct bus *bus, struct ctx *ctx, const char *email,
                                    struct user *out_user) MUST_CHECK;

#endif
