/*
 * Registration is a saga over two databases (design: users owns the directory, auth the
 * credentials):
 *
 *     1. users.v1.create    a pending user, seen by nobody
 *     2. the account        credentials here, pending, too
 *     3. users.v1.activate  the user is there
 *     4. the account        not pending any more
 *
 * A crash after 1 or 2 leaves a pending user, who gives way to the next registration of the
 * address, and at most credentials that nobody can use. After 3 the person can sign in: login makes
 * up for step 4. Of two registrations of one address, the one whose user is there at step 3 wins;
 * they never touch each other's accounts.
 */
#include <base/str.h>

#include "accounts.h"
#include "handlers.h"
#include "kinds.h"

struct registration {
    char email[EMAIL_TEXT];
    const char *password;
    char name[MODEL_TEXT(USER_NAME_MAX)];
};

static const struct field registration_fields[] = {
    FIELD(struct registration, email, EMAIL, .flags = REQUIRED, .example = "\"ann@example.com\""),
    FIELD(struct registration, password, STRING, .flags = REQUIRED | WRITE_ONLY, .min = 1,
          .max = PASSWORD_MAX_BYTES, .doc = "At least 8 characters, not a common one"),
    FIELD(struct registration, name, STRING, .flags = REQUIRED, .min = 1, .max = USER_NAME_MAX,
          .example = "\"Ann\""),
};
const struct model registration_model =
    MODEL(struct registration, registration_fields, "A person who registers");

static struct err *taken(struct err *e)
{
    return err_is(e, &DIRECTORY_EMAIL_TAKEN) || err_is(e, &DIRECTORY_NO_USER)
               ? err_wrap_as(e, &DIRECTORY_EMAIL_TAKEN, "another user has this email address")
               : err_wrap(e, "make the user");
}

static struct err *put_pending(const struct service *service, struct ctx *ctx, const char *user_id,
                               const char *email, const char *password_hash)
{
    struct account account = {.status = ACCOUNT_PENDING};
    str_copy(account.user_id, sizeof(account.user_id), user_id);
    str_copy(account.email, sizeof(account.email), email);
    str_copy(account.password_hash, sizeof(account.password_hash), password_hash);
    return store_put_account(service->db, ctx, &account);
}

struct err *create_account(const struct service *service, struct ctx *ctx,
                           const struct new_account *new_account, struct user *out_user)
{
    char hash[PASSWORD_HASH_TEXT], id[UUID_TEXT];
    /* First, since it is what an overloaded server refuses. */
    TRY(password_hash(service->passwords, ctx, new_account->password, hash));
    TRY(taken(directory_create(service->bus, ctx, new_account->email, new_account->name,
                               new_account->role, id)));
    TRY_WRAP(put_pending(service, ctx, id, new_account->email, hash), "store the account");
    struct user user = {0};
    struct err *e = directory_activate(service->bus, ctx, id, &user);
    if (err_is(e, &DIRECTORY_NO_USER)) /* should this fail, what stays is of no use to anybody */
        err_free(store_delete_account(service->db, ctx, id));
    TRY(taken(e));
    TRY_WRAP(account_put(service, ctx, &user, hash), "store the account");
    *out_user = user;
    return NULL;
}

struct err *register_user(struct http_req *req, struct http_res *res)
{
    const struct service *service = http_state(req);
    const struct registration *in = http_body(req);
    TRY(password_check(in->password, in->email, in->name));
    const struct new_account new_account = {
        .email = in->email,
        .name = in->name,
        .password = in->password,
        .role = ROLE_USER,
    };
    struct user user = {0};
    TRY(create_account(service, http_ctx(req), &new_account, &user));
    TRY(http_set_header(res, "Location", "/api/v1/users/%s", user.id));
    return http_reply(res, 201, &user_model, &user);
}
