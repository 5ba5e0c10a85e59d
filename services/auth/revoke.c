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

/* Of a token that was given out while this happened, and with a clock that is behind. */
#define LATE_MS 60000

/* Of sessions that are about to go; statement: when one of them was rotated last. */
static struct err *init(struct revocation *out_revocation, const struct service *service,
                        struct sql_conn *conn, struct ctx *ctx, const char *statement,
                        const char *id)
{
    int64_t rotated_at_ms = 0;
    TRY(sql_fetch_i64(conn, ctx, &rotated_at_ms, statement, SQL_TEXT(id)));
    int64_t revoked_at_ms = MAX(clock_now_ms(), rotated_at_ms);
    *out_revocation = (struct revocation){
        .revoked_at_ms = revoked_at_ms,
        .expires_at_ms = revoked_at_ms + service->settings->access_token_ttl_s * 1000 + LATE_MS,
    };
    return NULL;
}

/* --- one --- */

struct ending {
    const struct service *service;
    const char *id, *user_id;
    enum session_end reason;
};

static struct err *end_one(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    const struct ending *ending = data;
    struct revocation revocation;
    int64_t affected = 0;
    TRY(init(&revocation, ending->service, conn, ctx,
             "SELECT COALESCE(MAX(rotated_at), 0) FROM sessions WHERE id = $1", ending->id));
    TRY(sql_exec(conn, ctx, "DELETE FROM sessions WHERE id = $1", &affected, SQL_TEXT(ending->id)));
    if (affected == 0)
        return NULL;
    revocation.reason = (int)ending->reason;
    str_copy(revocation.sid, sizeof(revocation.sid), ending->id);
    str_copy(revocation.sub, sizeof(revocation.sub), ending->user_id);
    return outbox_add(ending->service->outbox, conn, ctx,
                      &(struct outbox_event){.type = SESSION_REVOKED,
                                             .about = revocation.sid,
                                             .model = &session_revoked_model,
                                             .data = &revocation});
}

struct err *session_end(const struct service *service, struct ctx *ctx, const char *id,
                        const char *user_id, enum session_end reason)
{
    struct ending ending = {service, id, user_id, reason};
    return sql_transact(service->db, ctx, end_one, &ending);
}

/* --- all of a user's --- */

struct err *sessions_end(const struct service *service, struct sql_conn *conn, struct ctx *ctx,
                         const char *user_id, enum sessions_end reason)
{
    static const char end[] = "DELETE FROM sessions WHERE user_id = $1";
    if (!service) /* an import */
        return sql_exec(conn, ctx, end, NULL, SQL_TEXT(user_id));
    struct revocation revocation;
    TRY(init(&revocation, service, conn, ctx,
             "SELECT COALESCE(MAX(rotated_at), 0) FROM sessions WHERE user_id = $1", user_id));
    TRY(sql_exec(conn, ctx, end, NULL, SQL_TEXT(user_id)));
    revocation.reason = (int)reason;
    str_copy(revocation.sub, sizeof(revocation.sub), user_id);
    return outbox_add(service->outbox, conn, ctx,
                      &(struct outbox_event){.type = SESSIONS_REVOKED,
                                             .about = user_id,
                                             .model = &sessions_revoked_model,
                                             .data = &revocation});
}
