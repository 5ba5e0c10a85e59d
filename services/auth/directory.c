#include "directory.h"

#include <base/str.h>

const struct err_kind DIRECTORY_EMAIL_TAKEN = {
    .slug = "email_taken",
    .status = 409,
    .title = "Address taken",
};
const struct err_kind DIRECTORY_NO_USER = {
    .slug = "user_not_found",
    .status = 404,
    .title = "User not found",
};
static const struct err_kind *const kinds[] = {&DIRECTORY_EMAIL_TAKEN, &DIRECTORY_NO_USER, NULL};

const char *const directory_roles[] = {"user", "admin", NULL};
const char *const directory_statuses[] = {"active", "suspended", "pending", NULL};

static const struct field user_fields[] = {
    FIELD(struct user, id, UUID, .flags = REQUIRED | READ_ONLY),
    FIELD(struct user, email, EMAIL, .flags = REQUIRED),
    FIELD(struct user, name, STRING, .flags = REQUIRED),
    FIELD(struct user, role, ENUM, .flags = REQUIRED | READ_ONLY, .values = directory_roles),
    FIELD(struct user, status, ENUM, .flags = REQUIRED | READ_ONLY, .values = directory_statuses),
    FIELD(struct user, email_verified, BOOL, .flags = READ_ONLY),
    FIELD(struct user, created_at_ms, TIME, .json = "created_at", .flags = READ_ONLY),
    FIELD(struct user, updated_at_ms, TIME, .json = "updated_at", .flags = READ_ONLY),
};
const struct model user_model = MODEL(struct user, user_fields, "A person who can sign in");

struct create_request {
    const char *email, *name;
    int role;
};

static const struct field create_fields[] = {
    FIELD(struct create_request, email, EMAIL),
    FIELD(struct create_request, name, STRING),
    FIELD(struct create_request, role, ENUM, .values = directory_roles),
};
static const struct model create_model =
    MODEL(struct create_request, create_fields, "users.v1.create");

struct id_request {
    const char *id;
};
static const struct field id_fields[] = {FIELD(struct id_request, id, STRING)};
static const struct model id_model = MODEL(struct id_request, id_fields, "users.v1.get, activate");

struct email_request {
    const char *email;
};
static const struct field email_fields[] = {FIELD(struct email_request, email, EMAIL)};
static const struct model email_model =
    MODEL(struct email_request, email_fields, "users.v1.find_by_email");

/* An answer is expected within this; the request may have less. */
#define ANSWER_MS 2000
#define TRIES     3

static struct err *ask(struct bus *bus, struct ctx *parent, const char *subject,
                       const struct model *in_model, const void *in, struct user *out_user)
{
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, parent, ANSWER_MS);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(64 << 10);
    return bus_request(bus, &ctx, subject, in_model, in, &user_model, &arena, out_user, kinds);
}

struct err *directory_create(struct bus *bus, struct ctx *ctx, const char *email, const char *name,
                             enum directory_role role, struct user *out_user)
{
    struct create_request request = {.email = email, .name = name, .role = (int)role};
    return ask(bus, ctx, "users.v1.create", &create_model, &request, out_user);
}

struct err *directory_activate(struct bus *bus, struct ctx *ctx, const char *id,
                               struct user *out_user)
{
    struct id_request request = {.id = id};
    struct err *e = NULL;
    for (int try = 0; try < TRIES; try++) {
        err_free(e);
        e = ask(bus, ctx, "users.v1.activate", &id_model, &request, out_user);
        if (!err_is(e, &ERR_UPSTREAM_TIMEOUT) || ctx_is_done(ctx))
            break;
    }
    return e;
}

struct err *directory_get(struct bus *bus, struct ctx *ctx, const char *id, struct user *out_user)
{
    struct id_request request = {.id = id};
    return ask(bus, ctx, "users.v1.get", &id_model, &request, out_user);
}

struct err *directory_find_by_email(struct bus *bus, struct ctx *ctx, const char *email,
                                    struct user *out_user)
{
    struct email_request request = {.email = email};
    return ask(bus, ctx, "users.v1.find_by_email", &email_model, &request, out_user);
}
