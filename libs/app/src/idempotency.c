#include <app/idempotency.h>

#include <base/clock.h>
#include <base/str.h>
#include <model/model.h>
#include <slog/slog.h>

/* New rows between two looks for expired ones, and rows that go at each: more than have come. */
#define SWEEP_EVERY 16
#define SWEEP_ROWS  64
/* A row that is found and gone at once, three times: somebody is at work. */
#define TRIES 3

struct row {
    char fingerprint[HTTP_KEY_HASH];
    int status; /* 0: at work */
    const char *content_type, *location, *etag, *body;
};

static const struct field row_fields[] = {
    FIELD(struct row, fingerprint, STRING),  FIELD(struct row, status, INT),
    FIELD(struct row, content_type, STRING), FIELD(struct row, location, STRING),
    FIELD(struct row, etag, STRING),         FIELD(struct row, body, STRING),
};
static const struct model row_model = MODEL(struct row, row_fields, "An answer to keep");

/* --- claim --- */

/* A row that has expired is taken over as if it were not there. */
static struct err *insert(struct sql_conn *conn, struct ctx *ctx,
                          const struct http_key_claim *claim, int64_t lease_ms, bool *out_is_ours)
{
    int64_t now_ms = clock_now_ms(), affected = 0;
    TRY(sql_exec(conn, ctx,
                 "INSERT INTO idempotency_keys (id, fingerprint, owner, expires_at)"
                 " VALUES ($1, $2, $3, $4)"
                 " ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint,"
                 " owner = excluded.owner, expires_at = excluded.expires_at, status = NULL,"
                 " content_type = NULL, location = NULL, etag = NULL, body = NULL"
                 " WHERE idempotency_keys.expires_at <= $5",
                 &affected, SQL_TEXT(claim->id), SQL_TEXT(claim->fingerprint),
                 SQL_TEXT(claim->owner), SQL_I64(now_ms + lease_ms), SQL_I64(now_ms)));
    *out_is_ours = affected == 1;
    return NULL;
}

static struct err *find(struct sql_conn *conn, struct ctx *ctx, const char *id, struct arena *arena,
                        struct http_key_found *out_found)
{
    struct row row = {0};
    TRY(sql_fetch_one(conn, ctx, &row_model, &row, arena,
                      "SELECT fingerprint, status, content_type, location, etag, body"
                      " FROM idempotency_keys WHERE id = $1",
                      SQL_TEXT(id)));
    *out_found = (struct http_key_found){
        .state = row.status == 0 ? HTTP_KEY_AT_WORK : HTTP_KEY_ANSWERED,
        .answer = {row.status, row.content_type, row.location, row.etag, row.body},
    };
    str_copy(out_found->fingerprint, sizeof(out_found->fingerprint), row.fingerprint);
    return NULL;
}

/* What is in the way of this is told of, and tried again another time. */
static void sweep(atomic_uint *count, struct sql_conn *conn, struct ctx *ctx, const char *statement)
{
    if (atomic_fetch_add(count, 1) % SWEEP_EVERY != 0)
        return;
    struct err *e =
        sql_exec(conn, ctx, statement, NULL, SQL_I64(clock_now_ms()), SQL_I64(SWEEP_ROWS));
    if (e)
        slog_warn("old idempotency keys could not be removed", SLOG_ERR(e));
    err_free(e);
}

static struct err *claim(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                         int64_t lease_ms, struct arena *arena, struct http_key_found *out_found)
{
    struct app_idempotency *keys = data;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(keys->db, ctx, &conn));
    for (int try = 0; try < TRIES; try++) {
        bool is_ours = false;
        TRY(insert(conn, ctx, claim, lease_ms, &is_ours));
        if (is_ours) {
            sweep(&keys->claims, conn, ctx,
                  "DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys"
                  " WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)");
            *out_found = (struct http_key_found){.state = HTTP_KEY_CLAIMED};
            return NULL;
        }
        struct err *e = find(conn, ctx, claim->id, arena, out_found);
        if (!err_is(e, &SQL_NO_ROWS))
            return e;
        err_free(e);
    }
    *out_found = (struct http_key_found){.state = HTTP_KEY_AT_WORK};
    str_copy(out_found->fingerprint, sizeof(out_found->fingerprint), claim->fingerprint);
    return NULL;
}

/* --- settle --- */

static struct err *keep(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                        const struct http_kept_answer *answer)
{
    struct app_idempotency *keys = data;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(keys->db, ctx, &conn));
    return sql_exec(conn, ctx,
                    "UPDATE idempotency_keys SET status = $3, content_type = $4, location = $5,"
                    " etag = $6, body = $7, expires_at = $8"
                    " WHERE id = $1 AND owner = $2 AND status IS NULL",
                    NULL, SQL_TEXT(claim->id), SQL_TEXT(claim->owner), SQL_I64(answer->status),
                    SQL_TEXT(answer->content_type), SQL_TEXT(answer->location),
                    SQL_TEXT(answer->etag), SQL_TEXT(answer->body),
                    SQL_I64(clock_now_ms() + HTTP_KEY_KEPT_MS));
}

/* Should this be the last that happens, the key is free when its lease is over. */
static struct err *forget_creation(struct sql_conn *conn, struct ctx *ctx,
                                   const struct http_key_claim *claim)
{
    return sql_exec(conn, ctx,
                    "DELETE FROM creation_ids WHERE key_id = $1 AND fingerprint = $2 AND EXISTS"
                    " (SELECT 1 FROM idempotency_keys WHERE id = $1 AND owner = $3"
                    " AND status IS NULL)",
                    NULL, SQL_TEXT(claim->id), SQL_TEXT(claim->fingerprint),
                    SQL_TEXT(claim->owner));
}

static struct err *release(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                           bool is_refused)
{
    struct app_idempotency *keys = data;
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(keys->db, ctx, &conn));
    if (is_refused)
        TRY(forget_creation(conn, ctx, claim));
    return sql_exec(conn, ctx,
                    "DELETE FROM idempotency_keys"
                    " WHERE id = $1 AND owner = $2 AND status IS NULL",
                    NULL, SQL_TEXT(claim->id), SQL_TEXT(claim->owner));
}

/* --- what the request makes --- */

struct creation {
    char creation_id[UUID_TEXT];
};
static const struct field creation_fields[] = {FIELD(struct creation, creation_id, UUID)};
static const struct model creation_model =
    MODEL(struct creation, creation_fields, "The id of what a request makes");

static struct err *creation_id(void *data, struct ctx *ctx, const struct http_key_claim *claim,
                               char out_id[static UUID_TEXT])
{
    struct app_idempotency *keys = data;
    struct creation creation = {0};
    int64_t now_ms = clock_now_ms();
    uuid_new(creation.creation_id);
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(keys->db, ctx, &conn));
    TRY(sql_fetch_one(conn, ctx, &creation_model, &creation, NULL,
                      "INSERT INTO creation_ids (key_id, fingerprint, creation_id, expires_at)"
                      " VALUES ($1, $2, $3, $4)"
                      " ON CONFLICT (key_id, fingerprint) DO UPDATE SET"
                      " creation_id = CASE WHEN creation_ids.expires_at <= $5"
                      " THEN excluded.creation_id ELSE creation_ids.creation_id END,"
                      " expires_at = CASE WHEN creation_ids.expires_at <= $5"
                      " THEN excluded.expires_at ELSE creation_ids.expires_at END"
                      " RETURNING creation_id",
                      SQL_TEXT(claim->id), SQL_TEXT(claim->fingerprint),
                      SQL_TEXT(creation.creation_id), SQL_I64(now_ms + HTTP_KEY_KEPT_MS),
                      SQL_I64(now_ms)));
    str_copy(out_id, UUID_TEXT, creation.creation_id);
    sweep(&keys->creations, conn, ctx,
          "DELETE FROM creation_ids WHERE (key_id, fingerprint) IN"
          " (SELECT key_id, fingerprint FROM creation_ids"
          " WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)");
    return NULL;
}

void app_idempotency_init(struct app_idempotency *keys, struct sql_db *db)
{
    *keys = (struct app_idempotency){
        .store = {.claim = claim,
                  .keep = keep,
                  .release = release,
                  .creation_id = creation_id,
                  .data = keys},
        .db = db,
    };
}
