#include "directory.h"

#include <base/str.h>

#include "kinds.h"

static const struct err_kind *const kinds[] = {&DIRECTORY_EMAIL_TAKEN, &DIRECTORY_NO_USER, NULL};

const char *const user_roles[] = {"user", "admin", NULL};
const char *const user_statuses[] = {"active", "suspended", NULL};

#define USER_FIELDS                                                                                \
    FIELD(struct user, id, UUID, .flags = REQUIRED | READ_ONLY),                                   \
        FIELD(struct user, email, EMAIL, .flags = REQUIRED),                                       \
        FIELD(struct user, name, STRING, .flags = REQUIRED, .min = 1, .max = USER_NAME_MAX),       \
        FIELD(struct user, role, ENUM, .flags = REQUIRED | READ_ONLY, .values = user_roles),       \
        FIELD(struct user, status, ENUM, .flags = REQUIRED | READ_ONLY, .values = user_statuses),  \
        FIELD(struct user, email_verified, BOOL, .flags = READ_ONLY),                              \
        FIELD(struct user, created_at_ms, TIME, .json = "created_at", .flags = READ_ONLY),         \
        FIELD(struct user, updated_at_ms, TIME, .json = "updated_at", .flags = READ_ONLY)

static const struct field user_fields[] = {USER_FIELDS};
const struct model user_model = MODEL(struct user, user_fields, "A person who can sign in");

static const struct field told_user_fields[] = {
    USER_FIELDS,
    FIELD(struct user, version, INT, .max = USER_VERSION_MAX),
};
const struct model told_user_model =
    MODEL(struct user, told_user_fields, "A user as the directory has it");

static const struct field deleted_user_fields[] = {
    FIELD(struct user, id, UUID, .flags = REQUIRED),
    FIELD(struct user, version, INT, .flags = REQUIRED, .max = USER_VERSION_MAX),
};
const struct model deleted_user_model =
    MODEL(struct user, deleted_user_fields, "A user who is not there any more");

struct create_request {
    const char *id, *email, *name;
    int role;
};
static const struct field create_fields[] = {
    FIELD(struct create_request, id, UUID),
    FIELD(struct create_request, email, EMAIL),
    FIELD(struct create_request, name, STRING),
    FIELD(struct create_request, role, ENUM, .values = user_roles),
};
static const struct model create_model =
    MODEL(struct create_request, create_fields, "users.v1.create");

struct user_id {
    char id[UUID_TEXT];
};
static const struct field id_fields[] = {FIELD(struct user_id, id, UUID, .flags = REQUIRED)};
static const struct model id_model = MODEL(struct user_id, id_fields, "Whom it is about");

struct email_request {
    const char *email;
};
static const struct field email_fields[] = {FIELD(struct email_request, email, EMAIL)};
static const struct model email_model =
    MODEL(struct email_request, email_fields, "users.v1.find_by_email");

struct list_request {
    const char *cursor;
};
static const struct field list_fields[] = {
    FIELD(struct list_request, cursor, UUID, .flags = OMIT_EMPTY)};
static const struct model list_model = MODEL(struct list_request, list_fields, "users.v1.list");

static const struct field page_fields[] = {
    FIELD_ARRAY(struct user_page, items, count, OBJECT, .flags = REQUIRED,
                .model = &told_user_model),
    FIELD(struct user_page, next_cursor, UUID, .flags = NULLABLE),
};
static const struct model page_model = MODEL(struct user_page, page_fields, "A page of users");

/* An answer is expected within this; the caller may have less. */
#define ANSWER_MS 2000
/* For what may be asked twice. */
#define TRIES    3
#define PAUSE_MS 100

static struct err *ask(struct bus *bus, struct ctx *parent, const char *subject,
                       const struct model *in_model, const void *in, const struct model *out_model,
                       void *out)
{
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, parent, ANSWER_MS);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(64 << 10);
    return bus_request(bus, &ctx, subject, in_model, in, out_model, &arena, out, kinds);
}

struct err *directory_list(struct bus *bus, struct ctx *parent, const char *cursor,
                           struct arena *arena, struct user_page *out_page)
{
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, parent, ANSWER_MS);
    struct list_request request = {cursor};
    return bus_request(bus, &ctx, "users.v1.list", &list_model, &request, &page_model, arena,
                       out_page, kinds);
}

struct err *directory_create(struct bus *bus, struct ctx *ctx, const char *id, const char *email,
                             const char *name, enum user_role role, char out_id[static UUID_TEXT])
{
    struct create_request request = {id, email, name, (int)role};
    struct user_id made = {0};
    TRY(ask(bus, ctx, "users.v1.create", &create_model, &request, &id_model, &made));
    str_copy(out_id, UUID_TEXT, made.id);
    return NULL;
}

static struct err *ask_by_id(struct bus *bus, struct ctx *ctx, const char *subject, const char *id,
                             struct user *out_user)
{
    struct user_id request = {0};
    str_copy(request.id, sizeof(request.id), id);
    return ask(bus, ctx, subject, &id_model, &request, &told_user_model, out_user);
}

struct err *directory_activate(struct bus *bus, struct ctx *ctx, const char *id,
                               struct user *out_user)
{
    for (int try = 1;; try++) {
        struct err *e = ask_by_id(bus, ctx, "users.v1.activate", id, out_user);
        if (!err_is_retryable(e) || ctx_is_done(ctx) || try == TRIES)
            return e;
        err_free(e);
        TRY(ctx_sleep(ctx, PAUSE_MS));
    }
}

struct err *directory_get(struct bus *bus, struct ctx *ctx, const char *id, struct user *out_user)
{
    return ask_by_id(bus, ctx, "users.v1.get", id, out_user);
}

struct err *directory_find_by_email(struct bus *bus, struct ctx *ctx, const char *email,
                                    struct user *out_user)
{
    struct email_request request = {.email = email};
    return ask(bus, ctx, "users.v1.find_by_email", &email_model, &request, &told_user_model,
               out_user);
}
