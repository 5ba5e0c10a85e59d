-- works with: 0001
-- Requests that came with an Idempotency-Key, and their answers: <app/idempotency.h>.
-- id and fingerprint are hashes: of caller and key, and of the whole request.
CREATE TABLE idempotency_keys (
    id           TEXT   NOT NULL PRIMARY KEY,
    fingerprint  TEXT   NOT NULL,
    owner        TEXT   NOT NULL, -- the attempt that is at work
    expires_at   BIGINT NOT NULL, -- until the status is there: the end of its lease
    status       BIGINT,
    content_type TEXT,
    location     TEXT,
    etag         TEXT,
    body         TEXT
);

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
