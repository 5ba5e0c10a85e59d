/* HTTP_IDEMPOTENCY: <http/idempotency.h> tells what it does. */
#include <http/idempotency.h>

#include <string.h>

#include <base/str.h>
#include <slog/slog.h>

#include "core.h"
#include "digest.h"
#include "exchange.h"

#define KEY_MAX     255
#define LEASE_MS    3000 /* beyond the deadline of the request: to keep or release */
#define STORE_MS    2000 /* for that, at most */
#define PAUSE_MIN   20   /* between two looks at what another is doing, in ms */
#define PAUSE_MAX   250
#define SPARE_MS    250 /* of a wait: to say that it was in vain */
#define TRY_AGAIN_S 1

_Static_assert(HTTP_KEY_HASH == DIGEST_TEXT, "hashes are SHA-256 in hex");

/* --- the key --- */

/* A string of RFC 9651, section 3.3.3, whose quotes and escapes are taken off. */
static bool unquote(const char *text, char out[static KEY_MAX + 1])
{
    size_t len = 0;
    for (text++; *text != '"'; text++) {
        bool is_escape = *text == '\\';
        text += is_escape;
        if (*text == '\0' || (is_escape && *text != '"' && *text != '\\') || len == KEY_MAX)
            return false;
        out[len++] = *text;
    }
    out[len] = '\0';
    return text[1] == '\0';
}

static struct err *read_key(const char *header, char out[static KEY_MAX + 1])
{
    bool is_fine = header[0] == '"' ? unquote(header, out) : str_copy(out, KEY_MAX + 1, header);
    for (size_t i = 0; is_fine && out[i] != '\0'; i++)
        is_fine = out[i] > ' ' && out[i] <= '~';
    if (is_fine && out[0] != '\0')
        return NULL;
    return err_new(&ERR_BAD_REQUEST,
                   "the Idempotency-Key header must be 1 to %d visible ASCII characters", KEY_MAX);
}

static struct str part(const char *text)
{
    return (struct str){text ? text : "", text ? strlen(text) : 0};
}

static struct err *make_claim(const struct http_req *req, const char *key,
                              struct http_key_claim *out_claim)
{
    const struct http_idempotency *store = req->server->options.idempotency;
    struct str secret = {(const char *)store->secret, sizeof(store->secret)};
    const struct str caller[] = {
        secret,
        STR("key"),
        part(req->has_identity ? "subject" : "anyone"),
        part(req->has_identity ? req->identity.subject : ""),
        part(key),
    };
    const struct str request[] = {
        secret,
        STR("request"),
        part(key),
        part(req->path),
        part(req->query_text),
        part(req->method_text),
        {req->raw_body ? req->raw_body : "", req->raw_len},
    };
    TRY(http_digest(caller, ARRAY_LEN(caller), out_claim->id));
    TRY(http_digest(request, ARRAY_LEN(request), out_claim->fingerprint));
    uuid_new(out_claim->owner);
    return NULL;
}

/* --- before the handler --- */

static struct err *in_progress(void)
{
    return err_set_retry_after(err_new(&ERR_IDEMPOTENCY_IN_PROGRESS,
                                       "the first request with this Idempotency-Key is not done"),
                               TRY_AGAIN_S * 1000);
}

static struct err *look(struct http_req *req, const struct http_key_claim *claim,
                        struct http_key_found *out_found)
{
    const struct http_idempotency *store = req->server->options.idempotency;
    struct ctx *ctx = http_ctx(req);
    int64_t lease_ms = ctx_remaining_ms(ctx, req->timeout_ms) + LEASE_MS;
    TRY_WRAP(store->claim(store->data, ctx, claim, lease_ms, &req->arena, out_found),
             "claim the Idempotency-Key");
    if (out_found->state != HTTP_KEY_CLAIMED &&
        strcmp(out_found->fingerprint, claim->fingerprint) != 0)
        return err_new(&ERR_IDEMPOTENCY_KEY_REUSED,
                       "this Idempotency-Key came with another request before");
    return NULL;
}

static struct err *wait_for_other(struct http_req *req, const struct http_key_claim *claim,
                                  struct http_key_found *found)
{
    struct ctx *ctx = http_ctx(req);
    for (int64_t pause_ms = PAUSE_MIN; found->state == HTTP_KEY_AT_WORK;
         pause_ms = MIN(pause_ms * 2, PAUSE_MAX)) {
        if (ctx_remaining_ms(ctx, req->timeout_ms) < pause_ms + SPARE_MS)
            return in_progress();
        TRY(ctx_sleep(ctx, pause_ms));
        TRY(look(req, claim, found));
    }
    return NULL;
}

static struct err *claim_key(struct http_req *req, const struct http_key_claim *claim,
                             struct http_key_found *out_found)
{
    struct http_server *server = req->server;
    struct http_key_found found = {.state = HTTP_KEY_AT_WORK};
    TRY(look(req, claim, &found));
    if (found.state == HTTP_KEY_AT_WORK) {
        int most = MAX(server->options.threads / 4, 1);
        bool may_wait = atomic_fetch_add(&server->waiting_for_keys, 1) < most;
        struct err *e = may_wait ? wait_for_other(req, claim, &found) : in_progress();
        atomic_fetch_sub(&server->waiting_for_keys, 1);
        TRY(e);
    }
    *out_found = found;
    return NULL;
}

static struct err *replay(struct http_res *res, const struct http_kept_answer *answer)
{
    TRY(http_set_header(res, "Idempotency-Replayed", "true"));
    if (answer->location)
        TRY(http_set_header(res, "Location", "%s", answer->location));
    if (answer->etag)
        TRY(http_set_header(res, "ETag", "%s", answer->etag));
    if (!answer->content_type)
        return http_reply_empty(res, answer->status);
    const char *body = answer->body ? answer->body : "";
    return http_reply_bytes(res, answer->status, answer->content_type, body, strlen(body));
}

/* --- after it --- */

static bool is_final(int status)
{
    if (status >= 200 && status < 300)
        return true;
    return status >= 400 && status < 500 && status != 401 && status != 403 && status != 408 &&
           status != 425 && status != 429;
}

static bool can_be_kept(const struct http_res *res)
{
    const struct buf *body = &res->body;
    return res->state == ANSWER_READY && is_final(res->status) && buf_status(body) == BUF_OK &&
           body->len <= HTTP_KEY_BODY_MAX && utf8_is_valid(buf_text(body), body->len) &&
           strlen(buf_text(body)) == body->len;
}

static const char *find_header(const struct http_res *res, const char *name)
{
    for (size_t i = 0; i < res->header_count; i++)
        if (str_equal_nocase(res->headers[i].name, name))
            return res->headers[i].value;
    return NULL;
}

/* The client gets its answer, whatever becomes of this. The request's own time may be over. */
static void settle(const struct http_req *req, const struct http_res *res,
                   const struct http_key_claim *claim, bool is_answered)
{
    const struct http_idempotency *store = req->server->options.idempotency;
    const struct http_kept_answer answer = {
        .status = res->status,
        .content_type = res->content_type,
        .location = find_header(res, "Location"),
        .etag = find_header(res, "ETag"),
        .body = res->content_type ? buf_text(&res->body) : NULL,
    };
    bool is_refused = is_answered && res->status >= 400;
    bool is_kept = is_answered && (req->has_identity || !is_refused);
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, NULL, STORE_MS);
    struct err *e =
        is_kept ? store->keep(store->data, &ctx, claim, &answer)
                : store->release(store->data, &ctx, claim, is_refused && req->has_creation_id);
    if (e)
        slog_warn("the answer to an Idempotency-Key could not be stored", SLOG_ERR(e));
    err_free(e);
}

static struct err *run_once(struct http_req *req, struct http_res *res, struct http_next *next,
                            const struct http_key_claim *claim)
{
    size_t header_count = res->header_count;
    req->key_claim = claim;
    req->has_creation_id = false;
    struct err *e = http_next(next, req, res);
    req->key_claim = NULL;
    if (e && is_final(err_kind(e)->status) && !err_is_retryable(e)) {
        http_reply_error(res, e, header_count);
        err_free(TAKE(e));
    }
    settle(req, res, claim, !e && can_be_kept(res));
    return e;
}

struct err *http_creation_id(struct http_req *req, char out_id[static UUID_TEXT])
{
    if (!req->key_claim) {
        uuid_new(out_id);
        return NULL;
    }
    const struct http_idempotency *store = req->server->options.idempotency;
    TRY_WRAP(store->creation_id(store->data, http_ctx(req), req->key_claim, out_id),
             "find the id of what the request makes");
    req->has_creation_id = true;
    return NULL;
}

static struct err *run_idempotency(struct http_req *req, struct http_res *res,
                                   struct http_next *next)
{
    const struct route *route = http_route(req);
    const char *header = req->known[KNOWN_IDEMPOTENCY_KEY];
    if (!route || !route->idempotent || !header)
        return http_next(next, req, res);
    char key[KEY_MAX + 1];
    struct http_key_claim claim;
    struct http_key_found found;
    TRY(read_key(header, key));
    TRY(make_claim(req, key, &claim));
    TRY(claim_key(req, &claim, &found));
    return found.state == HTTP_KEY_ANSWERED ? replay(res, &found.answer)
                                            : run_once(req, res, next, &claim);
}
const struct http_middleware HTTP_IDEMPOTENCY = {"idempotency", run_idempotency};
