/*
 * Keys and answers of routes with .idempotent (<http/idempotency.h>) in the service's database,
 * SQLite or PostgreSQL, for any number of replicas: the row of a key decides who runs. app_run()
 * wires it for every service with a database; tests that start a server themselves do so, too:
 *
 *     struct app_idempotency keys;
 *     app_idempotency_init(&keys, db);
 *     options.idempotency = &keys.store;
 *
 * The service has this table, by a migration of its own:
 *
 *     CREATE TABLE idempotency_keys (
 *         id           TEXT   NOT NULL PRIMARY KEY,
 *         fingerprint  TEXT   NOT NULL,
 *         owner        TEXT   NOT NULL,
 *         expires_at   BIGINT NOT NULL,
 *         status       BIGINT,
 *         content_type TEXT,
 *         location     TEXT,
 *         etag         TEXT,
 *         body         TEXT
 *     );
 *     CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
 *
 * Until the status is there the request is at work, and expires_at is the end of its lease. Leases
 * are told by the clocks of the replicas: those may differ by a second or two.
 *
 * A service that calls http_creation_id() has this one, too:
 *
 *     CREATE TABLE creation_ids (
 *         key_id      TEXT   NOT NULL, -- idempotency_keys.id, which may be gone
 *         fingerprint TEXT   NOT NULL,
 *         creation_id TEXT   NOT NULL,
 *         expires_at  BIGINT NOT NULL,
 *         PRIMARY KEY (key_id, fingerprint)
 *     );
 *     CREATE INDEX creation_ids_by_expiry ON creation_ids (expires_at);
 *
 * Rows of both that have expired count as absent and are removed a few at a time, as new ones come.
 */
#ifndef APP_IDEMPOTENCY_H
#define APP_IDEMPOTENCY_H

#include <stdatomic.h>

#include <http/idempotency.h>
#include <sql/sql.h>

/* Must not move. */
struct app_idempotency {
    struct http_idempotency store; /* its secret is zero; whoever has one sets it */
    struct sql_db *db;
    atomic_uint claims, creations;
};

/* Borrows the database; nothing to free. */
void app_idempotency_init(struct app_idempotency *keys, struct sql_db *db);

#endif
