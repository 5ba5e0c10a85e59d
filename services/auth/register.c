/*
 * Registration is a saga over two databases (design: users owns the directory, auth the
 * credentials):
 *
 *     1. users.v1.create    a pending user, seen by nobody            users.create.committed
 *     2. the account        credentials here, pending, too
 *     3. users.v1.activate  the user is there, and `created` is told  users.activate.committed
 *     4. the account        not pending any more, the user is known here
 *
 * What a crash leaves, by where it comes (the points at which the chaos test has it come, in the
 * order of time, are register.hashed, register.created, register.stored, register.activated,
 * register.done, and the two of users above):
 *
 * - before 1 is committed: nothing;
 * - before 3 is committed: a pending user, whom the next registration of the address replaces at
 *   once, and perhaps a pending account, which no address leads to. Each service removes its own
 *   after PENDING_TTL_S;
 * - after that, the answer lost or not: the user is there and can sign in. Step 4 is made up for by
 *   the event, by a login, which asks the directory, or by pending.c, whichever comes first.
 *
 * Whoever got no answer registers again, and that either succeeds or tells that the address is
 * registered: with the password that they gave. Of two registrations of one address, the one whose
 * pending user is there at step 3 wins; they never touch each other's accounts.
 *
 * With the same Idempotency-Key it is the same registration that goes on: the user's id is that of
 * the first attempt (http_creation_id()), every step finds what is done already, and the answer is
 * 201. A password that was changed meanwhile stays, and a user who was deleted meanwhile does not
 * come back: that is email_taken.
 */
#include <base/crash.h>
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

struct err *create_account(const struct service *service, struct ctx *ctx,
                           const struct new_account *new_account, struct user *out_user)
{
    char id[UUID_TEXT];
    TRY(taken(directory_create(service->bus, ctx, new_account->id, new_account->email,
                               new_account->name, new_account->role, id)));
    CRASH_POINT("register.created");
    TRY_WRAP(store_put_pending(service->db, ctx, id, new_account->email, new_account->password_hash,
                               service->settings->pending_ttl_s * 1000),
             "store the account");
    CRASH_POINT("register.stored");
    struct user user = {0};
    struct err *e = directory_activate(service->bus, ctx, id, &user);
    if (err_is(e, &DIRECTORY_NO_USER)) /* should this fail, what stays is of no use to anybody */
        err_free(store_delete_account(service->db, ctx, id));
    TRY(taken(e));
    CRASH_POINT("register.activated");
    TRY_WRAP(account_put(service, ctx, &user, new_account->password_hash), "store the account");
    CRASH_POINT("register.done");
    *out_user = user;
    return NULL;
}

struct err *register_user(struct http_req *req, struct http_res *res)
{
    const struct service *service = http_state(req);
    const struct registration *in = http_body(req);
    char hash[PASSWORD_HASH_TEXT], id[UUID_TEXT];
    TRY(password_check(in->password, in->email, in->name));
    /* First, since it is what an overloaded server refuses. */
    TRY(password_hash(service->passwords, http_ctx(req), in->password, hash));
    CRASH_POINT("register.hashed");
    TRY(http_creation_id(req, id));
    const struct new_account new_account = {
        .id = id,
        .email = in->email,
        .name = in->name,
        .password_hash = hash,
        .role = ROLE_USER,
    };
    struct user user = {0};
    TRY(create_account(service, http_ctx(req), &new_account, &user));
    TRY(http_set_header(res, "Location", "/api/v1/users/%s", user.id));
    return http_reply(res, 201, &user_model, &user);
}
