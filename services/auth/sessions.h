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
/* Tokens of a session as it is now. */
struct err *session_tokens(const struct service *service, const struct session *session,
                           const struct account *account, struct tokens *out_tokens) MUST_CHECK;

#endif
