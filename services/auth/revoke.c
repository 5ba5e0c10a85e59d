/* The end of sessions, and the events that tell of it. */
#include <base/clock.h>
#include <base/str.h>

#include "sessions.h"

static const char *const session_ends[] = {"logout", "reused", NULL};
static const char *const sessions_ends[] = {"suspended", "deleted", NULL};

#define REVOCATION_FIELDS(reasons)                                                                 \
    FIELD(struct revocation, sub, UUID, .flags = REQUIRED, .doc = "Whose tokens"),                 \
        FIELD(struct revocation, reason, ENUM, .flags = REQUIRED, .values = (reasons)),            \
        FIELD(struct revocation, revoked_at_ms, TIME, .json = "revoked_at", .flags = REQUIRED,     \
              .doc = "Tokens that were issued later are good"),                                    \
        FIELD(struct revocation, expires_at_ms, TIME, .json = "expires_at", .flags = REQUIRED,     \
              .doc = "When all of these tokens have ended by themselves")

static const struct field session_revoked_fields[] = {
    FIELD(struct revocation, sid, UUID, .flags = REQUIRED, .doc = "Tokens of which session"),
    REVOCATION_FIELDS(session_ends),
};
const struct model session_revoked_model = MODEL(
    struct revocation, session_revoked_fields, "A session has ended", .schema = "session_revoked");

static const struct field sessions_revoked_fields[] = {REVOCATION_FIELDS(sessions_ends)};
const struct model sessions_revoked_model =
    MODEL(struct revocation, sessions_revoked_fields, "All sessions of a user have ended",
          .schema = "sessions_revoked");

static void init(struct revocation *revocation, const struct service *service, const char *user_id,
                 int reason)
{
    int64_t now_ms = clock_now_ms();
    *revocation = (struct revocation){
        .reason = reason,
        .revoked_at_ms = now_ms,
        .expires_at_ms = now_ms + service->settings->access_token_ttl_s * 1000,
    };
    str_copy(revocation->sub, sizeof(revocation->sub), user_id);
}

/* --- one --- */

struct ending {
    const struct service *service;
    struct revocation revocation;
};

static struct err *end_one(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct ending *ending = data;
    const struct revocation *revocation = &ending->revocation;
    int64_t affected = 0;
    TRY(sql_exec(conn, ctx, "DELETE FROM sessions WHERE id = $1", &affected,
                 SQL_TEXT(revocation->sid)));
    if (affected == 0)
        return NULL;
    return outbox_add(ending->service->outbox, conn, ctx,
                      &(struct outbox_event){.type = SESSION_REVOKED,
                                             .about = revocation->sid,
                                             .model = &session_revoked_model,
                                             .data = revocation});
}

struct err *session_end(const struct service *service, struct ctx *ctx, const char *id,
                        const char *user_id, enum session_end reason)
{
    struct ending ending = {.service = service};
    init(&ending.revocation, service, user_id, (int)reason);
    str_copy(ending.revocation.sid, sizeof(ending.revocation.sid), id);
    return sql_transact(service->db, ctx, end_one, &ending);
}

/* --- all of a user's --- */

struct err *sessions_end(const struct service *service, struct sql_conn *conn, struct ctx *ctx,
                         const char *user_id, enum sessions_end reason)
{
    struct revocation revocation;
    TRY(sql_exec(conn, ctx, "DELETE FROM sessions WHERE user_id = $1", NULL, SQL_TEXT(user_id)));
    if (!service) /* an import */
        return NULL;
    init(&revocation, service, user_id, (int)reason);
    return outbox_add(service->outbox, conn, ctx,
                      &(struct outbox_event){.type = SESSIONS_REVOKED,
                                             .about = user_id,
                                             .model = &sessions_revoked_model,
                                             .data = &revocation});
}
