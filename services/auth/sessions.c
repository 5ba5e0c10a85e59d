#include "sessions.h"

#include <string.h>

#include <sodium.h>

#include <base/clock.h>
#include <base/encode.h>
#include <base/secret.h>
#include <base/str.h>
#include <slog/slog.h>

#include "kinds.h"

#define ID_BYTES    16
#define MAC_BYTES   crypto_auth_hmacsha256_BYTES
#define TOKEN_BYTES (ID_BYTES + 4 + MAC_BYTES)

_Static_assert(REFRESH_TOKEN_TEXT == BASE64URL_LEN(TOKEN_BYTES) + 1, "the header's arithmetic");
_Static_assert(MAC_BYTES == crypto_auth_hmacsha256_KEYBYTES, "a MAC serves as a key");

static const struct field tokens_fields[] = {
    FIELD(struct tokens, access_token, STRING, .doc = "JWT (RFC 9068); send it as a Bearer token"),
    FIELD(struct tokens, token_type, STRING, .example = "\"Bearer\""),
    FIELD(struct tokens, expires_in, INT, .doc = "Seconds until the access token ends"),
    FIELD(struct tokens, refresh_token, STRING, .doc = "Good for one refresh"),
    FIELD(struct tokens, refresh_expires_in, INT, .doc = "Seconds until the session ends"),
    FIELD(struct tokens, session_id, UUID),
};
const struct model tokens_model =
    MODEL(struct tokens, tokens_fields, "What a session is used with");

/* The parts of a refresh token. */
struct refresh {
    unsigned char id[ID_BYTES];
    unsigned char generation[4]; /* big-endian */
    unsigned char mac[MAC_BYTES];
};
_Static_assert(sizeof(struct refresh) == TOKEN_BYTES, "no padding");

static void id_to_text(const unsigned char id[static ID_BYTES], char out[static UUID_TEXT])
{
    char hex[2 * ID_BYTES + 1];
    hex_encode(hex, id, ID_BYTES);
    char *to = out;
    for (int i = 0; i < 2 * ID_BYTES; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *to++ = '-';
        *to++ = hex[i];
    }
    *to = '\0';
}

static void id_from_text(const char *text, unsigned char out[static ID_BYTES])
{
    char hex[2 * ID_BYTES + 1];
    size_t count = 0;
    for (; *text && count < sizeof(hex) - 1; text++) {
        if (*text != '-')
            hex[count++] = *text;
    }
    size_t len = 0;
    hex_decode(out, ID_BYTES, hex, count, &len);
}

/* HMAC over id and generation under a key that takes both the server's secret and the row's seed.
 */
static void sign(const unsigned char secret[static AUTH_KEY_BYTES], const struct session *session,
                 struct refresh *refresh)
{
    unsigned char key[MAC_BYTES];
    crypto_auth_hmacsha256(key, (const unsigned char *)session->seed, strlen(session->seed),
                           secret);
    crypto_auth_hmacsha256(refresh->mac, refresh->id, offsetof(struct refresh, mac), key);
    secret_wipe(key, sizeof(key));
}

/* By whichever of the server's secrets; the time does not tell. */
static bool is_signed(const struct service *service, const struct session *session,
                      const struct refresh *given)
{
    bool is_right = false;
    for (size_t i = 0; i < service->refresh_keys.count; i++) {
        struct refresh right = *given;
        sign(service->refresh_keys.keys[i], session, &right);
        is_right |= secret_equal(given->mac, MAC_BYTES, right.mac, MAC_BYTES);
    }
    return is_right;
}

static void put_generation(struct refresh *refresh, int64_t generation)
{
    uint32_t number = (uint32_t)generation;
    for (int i = 0; i < 4; i++)
        refresh->generation[i] = (unsigned char)(number >> (24 - 8 * i));
}

static int64_t get_generation(const struct refresh *refresh)
{
    uint32_t number = 0;
    for (int i = 0; i < 4; i++)
        number = number << 8 | refresh->generation[i];
    return number;
}

struct err *session_tokens(const struct service *service, const struct session *session,
                           const struct account *account, struct tokens *out_tokens)
{
    int64_t now_ms = clock_now_ms();
    const struct auth_settings *settings = service->settings;
    struct tokens tokens = {
        .token_type = "Bearer",
        .expires_in = settings->access_token_ttl_s,
        .refresh_expires_in = (session->expires_at_ms - now_ms + 500) / 1000,
    };
    str_copy(tokens.session_id, sizeof(tokens.session_id), session->id);

    struct jose_claims claims = {
        .iat_s = MIN(session->rotated_at_ms, now_ms) / 1000,
        .exp_s = now_ms / 1000 + settings->access_token_ttl_s,
    };
    str_copy(claims.iss, sizeof(claims.iss), service->issuer);
    str_copy(claims.aud, sizeof(claims.aud), service->audience);
    str_copy(claims.sub, sizeof(claims.sub), account->user_id);
    str_copy(claims.sid, sizeof(claims.sid), session->id);
    str_copy(claims.role, sizeof(claims.role), user_roles[account->role]);
    str_copy(claims.email, sizeof(claims.email), account->email);
    uuid_new(claims.jti);
    _cleanup_(buf_deinit) struct buf jwt = BUF_INIT(ACCESS_TOKEN_TEXT - 1);
    TRY(jose_token_sign(service->keys.current, &claims, &jwt));
    str_copy(tokens.access_token, sizeof(tokens.access_token), buf_text(&jwt));

    struct refresh refresh;
    id_from_text(session->id, refresh.id);
    put_generation(&refresh, session->generation);
    sign(service->refresh_keys.keys[0], session, &refresh);
    base64url_encode(tokens.refresh_token, &refresh, sizeof(refresh));
    *out_tokens = tokens;
    return NULL;
}

struct err *session_begin(const struct service *service, struct ctx *ctx,
                          const struct account *account, struct tokens *out_tokens)
{
    int64_t now_ms = clock_now_ms();
    struct session session = {
        .created_at_ms = now_ms,
        .rotated_at_ms = now_ms,
        .expires_at_ms = now_ms + service->settings->refresh_token_ttl_s * 1000,
    };
    unsigned char seed[SESSION_SEED_BYTES];
    random_bytes(seed, sizeof(seed));
    hex_encode(session.seed, seed, sizeof(seed));
    secret_wipe(seed, sizeof(seed));
    uuid_new(session.id);
    str_copy(session.user_id, sizeof(session.user_id), account->user_id);
    struct err *e = store_add_session(service->db, ctx, &session);
    if (err_is(e, &SQL_FOREIGN_KEY))
        return err_wrap_as(e, &INVALID_CREDENTIALS, "the account was deleted just now");
    TRY(e);
    return session_tokens(service, &session, account, out_tokens);
}

static struct err *invalid(void)
{
    return err_new(&INVALID_REFRESH_TOKEN, "the refresh token is unknown, expired or used already");
}

/* Somebody has a copy of the token, and nobody knows which of the two is the thief. */
static struct err *end_and_refuse(const struct service *service, struct ctx *ctx,
                                  const struct session *session)
{
    TRY(session_end(service, ctx, session->id, session->user_id, SESSION_REUSED));
    slog_warn("a refresh token was used again: its session has ended",
              SLOG_STR("session_id", session->id), SLOG_STR("user_id", session->user_id));
    return invalid();
}

/* Finds the session that a well-made token names; a MAC that does not fit tells nothing to its
 * maker. */
static struct err *open_token(const struct service *service, struct ctx *ctx, const char *text,
                              int64_t now_ms, struct session *out_session, int64_t *out_generation)
{
    struct refresh given;
    size_t len = 0;
    if (!base64url_decode(&given, sizeof(given), text, strlen(text), &len) || len != sizeof(given))
        return invalid();
    char id[UUID_TEXT];
    id_to_text(given.id, id);
    struct session session = {0};
    bool found = false;
    TRY(store_find_session(service->db, ctx, id, &session, &found));
    if (!found || session.expires_at_ms <= now_ms)
        return invalid();
    if (!is_signed(service, &session, &given))
        return invalid();
    *out_session = session;
    *out_generation = get_generation(&given);
    return NULL;
}

struct err *session_rotate(const struct service *service, struct ctx *ctx,
                           const char *refresh_token, struct session *out_session)
{
    int64_t now_ms = clock_now_ms();
    int64_t expires_at_ms = now_ms + service->settings->refresh_token_ttl_s * 1000;
    struct session session = {0};
    int64_t generation = 0;
    TRY(open_token(service, ctx, refresh_token, now_ms, &session, &generation));
    if (generation == session.generation) {
        bool is_done = false;
        TRY(store_rotate_session(service->db, ctx, &session, now_ms, expires_at_ms, &is_done));
        if (is_done) {
            session.generation++;
            session.rotated_at_ms = now_ms;
            session.expires_at_ms = expires_at_ms;
            *out_session = session;
            return NULL;
        }
        /* Somebody was faster: look again, and be the one who is late. */
        TRY(open_token(service, ctx, refresh_token, now_ms, &session, &generation));
    }
    bool is_late = generation == session.generation - 1 &&
                   now_ms - session.rotated_at_ms < service->settings->refresh_grace_s * 1000;
    if (!is_late)
        return end_and_refuse(service, ctx, &session);
    *out_session = session;
    return NULL;
}
