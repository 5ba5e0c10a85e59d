/*
 * The directory of users as auth sees it: the requests to users.v1.* on NATS. Each call blocks
 * until the answer comes or the ctx ends; any thread may call.
 *
 * Errors: the two kinds that kinds.def says are the directory's, ERR_UPSTREAM_UNAVAILABLE when
 * nobody answers, ERR_UPSTREAM_TIMEOUT.
 */
#ifndef AUTH_DIRECTORY_H
#define AUTH_DIRECTORY_H

#include <bus/bus.h>
#include <model/model.h>

enum user_role { ROLE_USER, ROLE_ADMIN };
enum user_status { STATUS_ACTIVE, STATUS_SUSPENDED };
extern const char *const user_roles[];
extern const char *const user_statuses[];

#define USER_NAME_MAX 100
/* Of two words the one with the higher version counts, so that after the highest of all nothing
 * would be learned any more. users takes in 2^53 at most, and counts on from there. */
#define USER_VERSION_MAX ((int64_t)1 << 54)

struct user {
    char id[UUID_TEXT];
    char email[EMAIL_TEXT];
    char name[MODEL_TEXT(USER_NAME_MAX)];
    int role;
    int status;
    bool email_verified;
    int64_t created_at_ms;
    int64_t updated_at_ms;
    int64_t version; /* goes up with each change; 0: not told */
};
/* As the directory tells of it, and as clients see it: without the version. */
extern const struct model told_user_model;
extern const struct model user_model;

/* What the directory tells of a user who was deleted: id and version. */
extern const struct model deleted_user_model;

/* A pending user, whom nobody sees until it is activated, and who gives way to the next one with
 * the address. One who is there already with this id is taken for it, pending or not. The directory
 * of the release before this one chooses another id. DIRECTORY_EMAIL_TAKEN; DIRECTORY_NO_USER: who
 * had this id was deleted. */
struct err *directory_create(struct bus *bus, struct ctx *ctx, const char *id, const char *email,
                             const char *name, enum user_role role, char out_id[static UUID_TEXT])
    MUST_CHECK;
/* Idempotent, so it is tried again when no answer comes. DIRECTORY_NO_USER: another claim to the
 * same address outran this one. */
struct err *directory_activate(struct bus *bus, struct ctx *ctx, const char *id,
                               struct user *out_user) MUST_CHECK;
/* Both: DIRECTORY_NO_USER. Pending users are not found. */
struct err *directory_get(struct bus *bus, struct ctx *ctx, const char *id, struct user *out_user)
    MUST_CHECK;
struct err *directory_find_by_email(struct bus *bus, struct ctx *ctx, const char *email,
                                    struct user *out_user) MUST_CHECK;

/* All users who are not pending, page by page in the order of their ids. */
struct user_page {
    struct user *items;
    size_t count;
    const char *next_cursor; /* NULL: the last page */
};
/* cursor: the next_cursor of the page before; NULL: the first page. Everything is in the arena. */
struct err *directory_list(struct bus *bus, struct ctx *ctx, const char *cursor,
                           struct arena *arena, struct user_page *out_page) MUST_CHECK;

#endif
