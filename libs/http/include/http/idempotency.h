/*
 * Idempotency-Key, as draft-ietf-httpapi-idempotency-key-header-07 has it: a client that got no
 * answer to a POST sends it again with the same key, and what it asked for is done once.
 *
 *     {POST, "/api/v1/users", invite_user, ..., .idempotent = true},
 *
 * The key is any 1 to 255 visible ASCII characters (a UUID is best), plain or as a string in quotes
 * (RFC 9651); anything else is 400 bad_request. For HTTP_KEY_KEPT_MS it stands for the first
 * request that came with it:
 *
 *   - the same request again gets the same status, body, Content-Type, Location and ETag, with
 *     Idempotency-Replayed: true;
 *   - another body, path, query or method gets 422 idempotency_key_reused;
 *   - the same request while the first one is still at work waits for its answer, and gets 409
 *     idempotency_in_progress with Retry-After when that does not come before its deadline (or when
 *     a quarter of the server's threads wait already).
 *
 * What is final is kept: 2xx, and 4xx but 401, 403, 408, 425, 429 and kinds that are retryable; of
 * callers without identity 2xx alone, so that what they leave is bounded by what they make. So is
 * not an answer that is streamed, has more than HTTP_KEY_BODY_MAX bytes or is not text: after
 * those, and after every other failure, the key is free again. It is kept before it is sent; when
 * that fails, or the process dies, the key is free as soon as its lease is over, a few seconds
 * after the first request's deadline.
 *
 * Then the handler runs anew, though the thing may have been made. A handler that makes one asks for
 * its id, and so finds out:
 *
 *     char id[UUID_TEXT];
 *     TRY(http_creation_id(req, id));                  // just before it is made
 *     insert under this id, or find what is there under it already
 *     return http_reply(res, 201, ...);                // in both cases
 *
 * The id is a new UUIDv7. It stays with the request, the same caller, key and body, for
 * HTTP_KEY_KEPT_MS, through 5xx and the death of processes, until the request is refused for good
 * (a 4xx that is final as above says that nothing was made with it). Each is a row, so ask after
 * what an overloaded server refuses.
 *
 * Keys are the caller's own: the subject of the access token. On routes for ANYONE all callers
 * share theirs, which gives nothing to who guesses one: answer and id go only to who sends the very
 * same body too, with the password in it where it makes an account; any other body has an id of
 * its own. Nobody can choose an id, nor tell it from key and body: it is random.
 *
 * The answer of a route with .idempotent must not have secrets in it: it is stored as it is.
 */
#ifndef HTTP_IDEMPOTENCY_H
#define HTTP_IDEMPOTENCY_H

#include <base/arena.h>
#include <base/uuid.h>
#include <conc/ctx.h>
#include <err/err.h>

#define HTTP_KEY_KEPT_MS  INT64_C(86400000)
#define HTTP_KEY_BODY_MAX ((size_t)64 << 10)
#define HTTP_KEY_HASH     65 /* bytes of a SHA-256 in hex, with the NUL */

/* A request that wants its key. Neither key nor body can be had from the hashes. */
struct http_key_claim {
    char id[HTTP_KEY_HASH];          /* of caller and key */
    char fingerprint[HTTP_KEY_HASH]; /* of the request */
    char owner[UUID_TEXT];           /* of this attempt */
};

/* Strings are UTF-8 without NUL; NULL: there is none. */
struct http_kept_answer {
    int status;
    const char *content_type, *location, *etag;
    const char *body;
};

enum http_key_state {
    HTTP_KEY_CLAIMED,  /* by this attempt: run it */
    HTTP_KEY_AT_WORK,  /* by another, whose lease is not over */
    HTTP_KEY_ANSWERED, /* by another, which is done */
};

struct http_key_found {
    enum http_key_state state;
    /* Unless claimed: */
    char fingerprint[HTTP_KEY_HASH];
    struct http_kept_answer answer; /* of HTTP_KEY_ANSWERED; in the arena */
};

/* Where keys and answers are. libs/app has one over a database. Any thread; each may block until
 * the ctx ends. */
struct http_idempotency {
    /* At most one claim of an id is alive: it stays the claimer's until keep(), release(), or
     * lease_ms have passed. */
    struct err *(*claim)(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                         int64_t lease_ms, struct arena *arena, struct http_key_found *out_found);
    /* For HTTP_KEY_KEPT_MS from now on. No effect when the claim is not alive any more. */
    struct err *(*keep)(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                        const struct http_kept_answer *answer);
    /* is_refused: nothing was made with the creation id. No effect when the claim is not alive. */
    struct err *(*release)(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                           bool is_refused);
    /* The same one for the same id and fingerprint, for HTTP_KEY_KEPT_MS from the first time on. */
    struct err *(*creation_id)(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                               char out_id[static UUID_TEXT]);
    void *data;
    /* Goes into every hash, so that who sees the stored ones cannot try passwords against them. */
    unsigned char secret[32];
};

#endif
