#include <string.h>

#include <base/clock.h>
#include <model/json.h>

#include "jws.h"
#include "refuse.h"

#define TYP        "at+jwt" /* RFC 9068 section 2.1 */
#define SKEW_MAX_S 300
#define TIME_MAX_S 253402300799 /* the end of the year 9999: sums with a skew cannot overflow */

/* Claims that are one string; aud, which may be an array, comes apart. */
static const struct string_claim {
    const char *name;
    size_t offset, size;
    bool is_required;
} string_claims[] = {
#define CLAIM(name, is_required)                                                                   \
    {                                                                                              \
#name, offsetof(struct jose_claims, name), sizeof(((struct jose_claims *)0)->name),        \
            is_required                                                                            \
    }
    CLAIM(iss, true),   CLAIM(sub, true),    CLAIM(jti, false),   CLAIM(sid, false),
    CLAIM(role, false), CLAIM(email, false), CLAIM(scope, false),
#undef CLAIM
};

static const struct time_claim {
    const char *name;
    size_t offset;
    bool is_required;
} time_claims[] = {
    {"iat", offsetof(struct jose_claims, iat_s), true},
    {"nbf", offsetof(struct jose_claims, nbf_s), false},
    {"exp", offsetof(struct jose_claims, exp_s), true},
};

static void write_string(struct json_writer *w, const char *name, const char *value)
{
    if (!*value)
        return;
    json_write_name(w, name);
    json_write_string(w, value);
}

struct err *jose_token_sign(const struct jose_key *key, const struct jose_claims *claims,
                            struct buf *out)
{
    if (!*claims->iss || !*claims->sub || !*claims->aud)
        return err_new(&ERR_INTERNAL, "a token needs iss, sub and aud");
    _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    struct json_writer w = JSON_WRITER(&payload);
    json_begin_object(&w);
    for (size_t i = 0; i < ARRAY_LEN(string_claims); i++)
        write_string(&w, string_claims[i].name, (const char *)claims + string_claims[i].offset);
    write_string(&w, "aud", claims->aud);
    for (size_t i = 0; i < ARRAY_LEN(time_claims); i++) {
        int64_t time_s;
        memcpy(&time_s, (const char *)claims + time_claims[i].offset, sizeof(time_s));
        if (time_s == 0 && !time_claims[i].is_required)
            continue;
        json_write_name(&w, time_claims[i].name);
        json_write_i64(&w, time_s);
    }
    json_end_object(&w);
    if (buf_status(&payload) != BUF_OK)
        return jose_buf_error(&payload);
    return jose_sign(key, TYP, payload.data, payload.len, out);
}

static struct err *read_string(const struct json_value *payload, const struct string_claim *claim,
                               struct jose_claims *claims)
{
    const struct json_value *value = json_get(payload, claim->name);
    const char *text = json_string(value);
    if (!value && !claim->is_required)
        return NULL;
    if (!text || !*text || !str_copy((char *)claims + claim->offset, claim->size, text))
        return err_new(&JOSE_INVALID_TOKEN, "%s is not a string of 1 to %zu bytes", claim->name,
                       claim->size - 1);
    return NULL;
}

static struct err *read_time(const struct json_value *payload, const struct time_claim *claim,
                             struct jose_claims *claims)
{
    const struct json_value *value = json_get(payload, claim->name);
    int64_t time_s = 0;
    if (!value && !claim->is_required)
        return NULL;
    if (!json_i64(value, &time_s) || time_s < 0 || time_s > TIME_MAX_S)
        return err_new(&JOSE_INVALID_TOKEN, "%s is not a time in whole seconds", claim->name);
    memcpy((char *)claims + claim->offset, &time_s, sizeof(time_s));
    return NULL;
}

/* A string, or an array of strings one of which is ours (RFC 7519 section 4.1.3). */
static struct err *read_audience(const struct json_value *payload, const char *expected,
                                 struct jose_claims *claims)
{
    const struct json_value *aud = json_get(payload, "aud");
    const char *text = json_string(aud);
    bool is_ours = text && str_equal(text, expected);
    if (!text && !json_is(aud, JSON_ARRAY))
        return err_new(&JOSE_INVALID_TOKEN, "aud is not a string or an array of strings");
    json_foreach (item, text ? NULL : aud) {
        const char *entry = json_string(item);
        if (!entry)
            return err_new(&JOSE_INVALID_TOKEN, "aud is not a string or an array of strings");
        is_ours = is_ours || str_equal(entry, expected);
    }
    if (!is_ours || !str_copy(claims->aud, sizeof(claims->aud), expected))
        return err_new(&JOSE_INVALID_TOKEN, "the token is meant for another audience");
    return NULL;
}

static struct err *read_claims(const struct json_value *payload, const char *expected_aud,
                               struct jose_claims *claims)
{
    if (!json_is(payload, JSON_OBJECT))
        return err_new(&JOSE_INVALID_TOKEN, "the payload is not an object");
    for (size_t i = 0; i < ARRAY_LEN(string_claims); i++)
        TRY(read_string(payload, &string_claims[i], claims));
    for (size_t i = 0; i < ARRAY_LEN(time_claims); i++)
        TRY(read_time(payload, &time_claims[i], claims));
    return read_audience(payload, expected_aud, claims);
}

static struct err *check_times(const struct jose_claims *claims, int64_t now_s, int64_t skew_s)
{
    if (now_s >= claims->exp_s + skew_s)
        return err_new(&JOSE_INVALID_TOKEN, "the token has expired");
    if (now_s < claims->nbf_s - skew_s)
        return err_new(&JOSE_INVALID_TOKEN, "the token is not valid yet");
    if (now_s < claims->iat_s - skew_s)
        return err_new(&JOSE_INVALID_TOKEN, "the token was issued in the future");
    return NULL;
}

struct err *jose_token_verify(const struct jose_keys *keys, const struct jose_expect *expect,
                              const char *token, size_t len, struct jose_claims *out_claims)
{
    if (!expect->iss || !expect->aud || expect->clock_skew_s < 0 ||
        expect->clock_skew_s > SKEW_MAX_S)
        return err_new(&ERR_INTERNAL, "iss, aud and a skew of 0 to %d s are needed", SKEW_MAX_S);
    struct jose_payload payload;
    TRY(jose_jws_open(keys, TYP, token, len, &payload));
    _cleanup_(json_free) struct json_doc *doc = NULL;
    struct err *e = json_parse(payload.bytes, payload.len, &doc);
    if (e)
        return jose_refuse(e, &JOSE_INVALID_TOKEN, "the payload is not strict JSON");
    struct jose_claims claims = {0};
    TRY(read_claims(json_root(doc), expect->aud, &claims));
    if (!str_equal(claims.iss, expect->iss))
        return err_new(&JOSE_INVALID_TOKEN, "the token comes from another issuer");
    TRY(check_times(&claims, expect->now_s ? expect->now_s : clock_now_ms() / 1000,
                    expect->clock_skew_s));
    *out_claims = claims;
    return NULL;
}
