-- The same as 0001_users.postgres.sql: change both.
-- email_key is the address in lower case: what is unique, while email stays as it was typed.
-- A pending user is a registration that is not finished: seen by no list and no read.
CREATE TABLE users (
    id             TEXT    NOT NULL PRIMARY KEY,
    email          TEXT    NOT NULL,
    email_key      TEXT    NOT NULL UNIQUE,
    name           TEXT    NOT NULL,
    role           TEXT    NOT NULL CHECK (role IN ('user', 'admin')),
    status         TEXT    NOT NULL CHECK (status IN ('active', 'suspended', 'pending')),
    email_verified BOOLEAN NOT NULL,
    version        BIGINT  NOT NULL,
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL
);

CREATE INDEX users_by_creation ON users (created_at, id);
CREATE INDEX users_by_name ON users (name, id);
CREATE INDEX users_pending ON users (created_at) WHERE status = 'pending';
