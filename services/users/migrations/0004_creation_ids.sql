-- The ids of what requests with an Idempotency-Key make, so that a repetition finds it:
-- <app/idempotency.h>.
CREATE TABLE creation_ids (
    key_id      TEXT   NOT NULL, -- idempotency_keys.id, which may be gone
    fingerprint TEXT   NOT NULL,
    creation_id TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (key_id, fingerprint)
);

CREATE INDEX creation_ids_by_expiry ON creation_ids (expires_at);

-- Users who are gone, for about a day: a request that made one and is repeated afterwards must not
-- bring the id back.
CREATE TABLE deleted_users (
    id         TEXT   NOT NULL PRIMARY KEY,
    deleted_at BIGINT NOT NULL
);

CREATE INDEX deleted_users_by_time ON deleted_users (deleted_at);
