/*
 * Registration is a saga over two databases (design: users owns the directory, auth the
 * credentials):
 *
 *     1. users.v1.create    a pending user, seen by nobody
 *     2. the account        credentials, here
 *     3. users.v1.activate  the user is there
 *
 * A crash after 1 or 2 leaves a pending user, which gives way to the next registration of the
 * address, and at most an account that nobody can sign in to, which the next registration replaces.
 */
#include <base/str.h>

#include "handlers.h"
#include "kinds.h"
#include "store.h"

struct registration {
    char email[EMAIL_TEXT];
    const char *password;
    char name[MODEL_TEXT(100)];
};

static const struct field registration_fields[] = {
    FIELD(struct registration, email, EMAIL, .flags = REQUIRED, .example = "\"ann@example.com\""),
    FIELD(struct registration, password, STRING, .flags = REQUIRED | WRITE_ONLY, .min = 1,
          .max = PASSWORD_MAX_BYTES, .doc = "At least 8 characters, not a common one"),
    FIELD(struct registration, name, STRING, .flags = REQUIRED, .min = 1, .max = 100,
          .example = "\"Ann\""),
};
const struct model registration_model =
    MODEL(struct registration, registration_fields, "A person who registers");

static struct err *taken(struct err *e)
{
    return err_wrap_as(e, &DIRECTORY_EMAIL_TAKEN, "another user has this email address");
}

struct err *create_account(const struct service *service, struct ctx *ctx, const char *email,
                           const char *name, const char *password, enum directory_role role,
                           struct user *out_user)
{
    struct account account = {.role = (int)role, .status = STATUS_ACTIVE};
    /* First, since it is what an overloaded server refuses. */
    TRY(password_hash(service->passwords, ctx, password, account.password_hash));
    struct user user = {0};
    struct err *e = directory_create(service->bus, ctx, email, name, role, &user);
    if (e)
        return err_is(e, &DIRECTORY_EMAIL_TAKEN) ? taken(e) : err_wrap(e, "create the user");
    str_copy(account.user_id, sizeof(account.user_id), user.id);
    str_copy(account.email, sizeof(account.email), user.email);
    TRY_WRAP(store_put_account(service->db, ctx, &account), "store the account");
    e = directory_activate(service->bus, ctx, user.id, &user);
    if (err_is(e, &DIRECTORY_NO_USER)) {
        TRY(store_delete_account(service->db, ctx, account.user_id));
        return taken(e);
    }
    if (e)
        return err_wrap(e, "activate the user");
    *out_user = user;
    return NULL;
}

struct err *register_user(struct http_req *req, struct http_res *res)
{
    const struct service *service = http_state(req);
    const struct registration *in = http_body(req);
    TRY(password_check(in->password, in->email, in->name));
    struct user user = {0};
    TRY(create_account(service, http_ctx(req), in->email, in->name, in->password, ROLE_USER,
                       &user));
    TRY(http_set_header(res, "Location", "/api/v1/users/%s", user.id));
    return http_reply(res, 201, &user_model, &user);
}
