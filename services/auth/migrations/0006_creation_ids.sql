-- works with: 0004
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
