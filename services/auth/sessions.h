/*
 * Sessions and the tokens that belong to them (docs/adr/0005-refresh-tokens.md). Every function may
 * block on the database; any thread may call.
 */
#ifndef AUTH_SESSIONS_H
#define AUTH_SESSIONS_H

#include <conc/ctx.h>
#include <err/err.h>
#include <model/model.h>

#include "service.h"
#include "store.h"

#define REFRESH_TOKEN_TEXT 71 /* base64url of session id (16), generation (4) and MAC (32) */
#define ACCESS_TOKEN_TEXT  2048

struct tokens {
    char access_token[ACCESS_TOKEN_TEXT];
    const char *token_type;
    int64_t expires_in;
    char refresh_token[REFRESH_TOKEN_TEXT];
    int64_t refresh_expires_in;
    char session_id[UUID_TEXT];
};
extern const struct model tokens_model;

/* A new session of this account. */
struct err *session_begin(const struct service *service, struct ctx *ctx,
                          const struct account *account, struct tokens *out_tokens) MUST_CHECK;
/* The session that the token is good for, with its successor made current: INVALID_REFRESH_TOKEN
 * when it is not good, and then, if it is an old one of a living session, that session has ended.
 */
struct err *session_rotate(const struct service *service, struct ctx *ctx,
                           const char *refresh_token, struct session *out_session) MUST_CHECK;
/* Tokens of a session as it is now, issued (iat) at its last rotation or its beginning: not by the
 * clock, which may have gone past a suspension that nobody here has seen yet. */
struct err *session_tokens(const struct service *service, const struct session *session,
                           const struct account *account, struct tokens *out_tokens) MUST_CHECK;

/* --- their end, told of in the same transaction --- */

#define SESSION_REVOKED  "auth.v1.events.session.revoked"
#define SESSIONS_REVOKED "auth.v1.events.sessions.revoked"

/* What a gateway needs to refuse access tokens that are still valid by their own word: those with
 * this sid (or, of all of a user's sessions, this sub) that were issued at or before revoked_at, until
 * expires_at, when the last of them has ended by itself, for those, too, whose clock is behind.
 *
 * No token that a session gave is issued later than it was revoked: the transaction that begins or
 * rotates it and the one that ends it collide or see each other, and revoked_at is that of the last
 * rotation at least. */
struct revocation {
    char sid[UUID_TEXT]; /* not of sessions.revoked */
    char sub[UUID_TEXT];
    int reason; /* enum session_end or enum sessions_end */
    int64_t revoked_at_ms, expires_at_ms;
};
extern const struct model session_revoked_model, sessions_revoked_model;

enum session_end { SESSION_LOGOUT, SESSION_REUSED };
/* One session; no such one is fine, and not told of. */
struct err *session_end(const struct service *service, struct ctx *ctx, const char *id,
                        const char *user_id, enum session_end reason) MUST_CHECK;
enum sessions_end { SESSIONS_SUSPENDED, SESSIONS_DELETED };
/* All of a user's, in the open transaction of conn. Told of even when there are none: access tokens
 * may be around. */
struct err *sessions_end(const struct service *service, struct sql_conn *conn, struct ctx *ctx,
                         const char *user_id, enum sessions_end reason) MUST_CHECK;

#endif
