-- The same as 0003_events.postgres.sql: change both.
-- Events until JetStream has them (<event/outbox.h>); body is the whole CloudEvent.
CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT   NOT NULL UNIQUE,
    type       TEXT   NOT NULL,
    about      TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- Who holds its one row publishes.
CREATE TABLE outbox_line (id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1));
INSERT INTO outbox_line (id) VALUES (1);

-- Events that took effect (<event/inbox.h>).
CREATE TABLE inbox (
    consumer   TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    handled_at BIGINT NOT NULL,
    PRIMARY KEY (consumer, id)
);
CREATE INDEX inbox_by_time ON inbox (consumer, handled_at);

-- How far each consumer has come, and in which stream.
CREATE TABLE inbox_places (
    consumer       TEXT   NOT NULL PRIMARY KEY,
    stream_created TEXT   NOT NULL,
    last_sequence  BIGINT NOT NULL
);
