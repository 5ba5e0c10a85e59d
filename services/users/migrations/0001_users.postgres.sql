-- The same as 0001_users.sqlite.sql: change both. The collation makes order and uniqueness those of
-- SQLite, whatever the database's locale, and indexes that outlive an upgrade of the C library.
CREATE TABLE users (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    email          TEXT    NOT NULL,
    email_key      TEXT COLLATE "C" NOT NULL UNIQUE,
    name           TEXT COLLATE "C" NOT NULL,
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
