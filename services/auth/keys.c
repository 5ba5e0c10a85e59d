#include "keys.h"

#include <string.h>

#include <base/clock.h>
#include <base/secret.h>
#include <slog/slog.h>

/* A private RSA key of 2048 bits takes about 1.7 KB, and a third more when it is sealed. */
#define JWK_MAX    4096
#define SEALED_MAX 8192

enum key_state { KEY_NEXT, KEY_CURRENT, KEY_PREVIOUS, KEY_STATES };
static const char *const states[] = {"next", "current", "previous", NULL};

struct key_row {
    char kid[128];
    int state;
    const char *sealed;
};

static const struct field key_fields[] = {
    FIELD(struct key_row, kid, STRING),
    FIELD(struct key_row, state, ENUM, .values = states),
    FIELD(struct key_row, sealed, STRING),
};
static const struct model key_model = MODEL(struct key_row, key_fields, "A signing key at rest");

struct loading {
    struct key_ring keks;
    enum jose_alg alg;
    struct jose_key *by_state[KEY_STATES];
    bool is_stale[KEY_STATES];            /* sealed with another than the first of keks */
    struct jose_key *fresh[KEY_PREVIOUS]; /* to be put where there is none */
};

static void forget(struct jose_key **keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        jose_key_unref(TAKE(keys[i]));
}

static void loading_deinit(struct loading *loading)
{
    forget(loading->by_state, KEY_STATES);
    forget(loading->fresh, ARRAY_LEN(loading->fresh));
    secret_wipe(&loading->keks, sizeof(loading->keks));
}
DEFINE_CLEANUP_VALUE(struct loading, loading_deinit);

/* With whichever fits; *out_kek is its place. */
static struct err *unseal(const struct key_ring *keks, const struct key_row *row,
                          struct buf *out_jwk, size_t *out_kek)
{
    struct err *e = NULL;
    for (size_t i = 0; i < keks->count; i++) {
        err_free(e);
        e = jose_open(keks->keys[i], row->kid, row->sealed, strlen(row->sealed), out_jwk);
        if (!e)
            *out_kek = i;
        if (!err_is(e, &JOSE_BROKEN_SEAL))
            return e;
    }
    return err_wrap(e, "KEY_ENCRYPTION_KEY has not the key that signing key %s was stored with",
                    row->kid);
}

static struct err *open_key(struct loading *loading, const struct key_row *row)
{
    _cleanup_(buf_deinit) struct buf jwk = BUF_INIT(SEALED_MAX);
    if (!buf_reserve(&jwk, JWK_MAX)) /* growing, it would leave copies behind */
        return err_oom();
    size_t kek = 0;
    TRY(unseal(&loading->keks, row, &jwk, &kek));
    loading->is_stale[row->state] = kek > 0;
    struct err *e = jose_key_parse(buf_text(&jwk), jwk.len, &loading->by_state[row->state]);
    secret_wipe(jwk.data, jwk.len);
    return e;
}

static struct err *read_keys(struct sql_conn *conn, struct ctx *ctx, struct loading *loading)
{
    forget(loading->by_state, KEY_STATES); /* of a look before this one */
    memset(loading->is_stale, 0, sizeof(loading->is_stale));
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(64 << 10);
    void *items = NULL;
    size_t count = 0;
    TRY(sql_fetch_all(conn, ctx, &key_model, KEY_STATES, &arena, &items, &count,
                      "SELECT kid, state, sealed FROM signing_keys ORDER BY state"));
    const struct key_row *rows = items;
    for (size_t i = 0; i < count; i++)
        TRY(open_key(loading, &rows[i]));
    return NULL;
}

static struct err *seal(const struct key_ring *keks, const struct jose_key *key,
                        struct buf *out_sealed)
{
    _cleanup_(buf_deinit) struct buf jwk = BUF_INIT(SEALED_MAX);
    if (!buf_reserve(&jwk, JWK_MAX))
        return err_oom();
    TRY(jose_key_write(key, true, &jwk));
    struct err *e = jose_seal(keks->keys[0], jose_key_id(key), jwk.data, jwk.len, out_sealed);
    secret_wipe(jwk.data, jwk.len);
    return e;
}

static struct err *reseal_key(struct sql_conn *conn, struct ctx *ctx, const struct loading *loading,
                              const struct jose_key *key)
{
    _cleanup_(buf_deinit) struct buf sealed = BUF_INIT(SEALED_MAX);
    TRY(seal(&loading->keks, key, &sealed));
    return sql_exec(conn, ctx, "UPDATE signing_keys SET sealed = $1 WHERE kid = $2", NULL,
                    SQL_TEXTN(sealed.data, sealed.len), SQL_TEXT(jose_key_id(key)));
}

static struct err *add_key(struct sql_conn *conn, struct ctx *ctx, struct loading *loading,
                           enum key_state state)
{
    struct jose_key *key = loading->by_state[state] = jose_key_ref(loading->fresh[state]);
    _cleanup_(buf_deinit) struct buf sealed = BUF_INIT(SEALED_MAX);
    TRY(seal(&loading->keks, key, &sealed));
    return sql_exec(conn, ctx,
                    "INSERT INTO signing_keys (kid, state, sealed, created_at)"
                    " VALUES ($1, $2, $3, $4)",
                    NULL, SQL_TEXT(jose_key_id(key)), SQL_TEXT(states[state]),
                    SQL_TEXTN(sealed.data, sealed.len), SQL_I64(clock_now_ms()));
}

/* JWT_ALG has changed: new keys take over, and what the old one signed stays valid. */
static struct err *retire_keys(struct sql_conn *conn, struct ctx *ctx, struct loading *loading)
{
    TRY(sql_exec(conn, ctx, "DELETE FROM signing_keys WHERE state <> 'current'", NULL));
    TRY(sql_exec(conn, ctx, "UPDATE signing_keys SET state = 'previous' WHERE state = 'current'",
                 NULL));
    struct jose_key *current = TAKE(loading->by_state[KEY_CURRENT]);
    forget(loading->by_state, KEY_STATES);
    loading->by_state[KEY_PREVIOUS] = current;
    return NULL;
}

static struct err *load_or_make(struct sql_conn *conn, struct ctx *ctx, void *data)
{
    struct loading *loading = data;
    TRY(read_keys(conn, ctx, loading));
    for (size_t i = 0; i < KEY_STATES; i++)
        if (loading->is_stale[i])
            TRY(reseal_key(conn, ctx, loading, loading->by_state[i]));
    const struct jose_key *current = loading->by_state[KEY_CURRENT];
    if (current && jose_key_alg(current) != loading->alg)
        TRY(retire_keys(conn, ctx, loading));
    if (!loading->by_state[KEY_CURRENT])
        TRY(add_key(conn, ctx, loading, KEY_CURRENT));
    if (!loading->by_state[KEY_NEXT])
        TRY(add_key(conn, ctx, loading, KEY_NEXT));
    return NULL;
}

static size_t count_stale(const struct loading *loading)
{
    size_t count = 0;
    for (size_t i = 0; i < KEY_STATES; i++)
        count += loading->is_stale[i];
    return count;
}

/* All are there and sealed with the first of keks, as nearly any start finds them. */
static struct err *look(struct sql_db *db, struct ctx *ctx, struct loading *loading,
                        bool *out_is_complete)
{
    _cleanup_(sql_release) struct sql_conn *conn = NULL;
    TRY(sql_acquire(db, ctx, &conn));
    TRY(read_keys(conn, ctx, loading));
    const struct jose_key *current = loading->by_state[KEY_CURRENT];
    *out_is_complete = current && jose_key_alg(current) == loading->alg &&
                       loading->by_state[KEY_NEXT] && count_stale(loading) == 0;
    return NULL;
}

static struct err *load(struct sql_db *db, struct ctx *ctx, struct loading *loading)
{
    bool is_complete = false;
    TRY(look(db, ctx, loading, &is_complete));
    if (is_complete)
        return NULL;
    /* Before the transaction: an RSA key takes its time, and others wait for the database. */
    for (size_t i = 0; i < ARRAY_LEN(loading->fresh); i++)
        TRY(jose_key_generate(loading->alg, &loading->fresh[i]));
    struct err *e = sql_transact(db, ctx, load_or_make, loading);
    if (err_is(e, &SQL_UNIQUE)) {
        err_free(e); /* another replica made them meanwhile */
        e = sql_transact(db, ctx, load_or_make, loading);
    }
    TRY(e);
    if (count_stale(loading) > 0)
        slog_info("signing keys resealed with the first KEY_ENCRYPTION_KEY",
                  SLOG_I64("count", (int64_t)count_stale(loading)));
    return NULL;
}

struct err *keys_load(struct sql_db *db, struct ctx *ctx, const struct auth_settings *settings,
                      struct keys *out_keys)
{
    _cleanup_(loading_deinit) struct loading loading = {.alg = (enum jose_alg)settings->jwt_alg};
    auth_decode_keys(settings, &loading.keks);
    TRY_WRAP(load(db, ctx, &loading), "load the signing keys");
    struct jose_key *present[KEY_STATES];
    size_t count = 0;
    for (size_t i = 0; i < KEY_STATES; i++) {
        if (loading.by_state[i])
            present[count++] = loading.by_state[i];
    }
    struct jose_keys *all = NULL;
    TRY(jose_keys_new(present, count, &all));
    *out_keys = (struct keys){.current = jose_key_ref(loading.by_state[KEY_CURRENT]), .all = all};
    return NULL;
}

void keys_deinit(struct keys *keys)
{
    jose_key_unref(keys->current);
    jose_keys_unref(keys->all);
    *keys = (struct keys){0};
}
