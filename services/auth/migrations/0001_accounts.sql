-- Credentials, and what auth knows of a user when the directory is away. The directory owns
-- addresses: an account may be behind it, so email_key is not unique here.
-- A pending account is that of a registration which may not have reached its end.
CREATE TABLE accounts (
    user_id       TEXT   NOT NULL PRIMARY KEY,
    email         TEXT   NOT NULL,
    email_key     TEXT   NOT NULL,
    role          TEXT   NOT NULL CHECK (role IN ('user', 'admin')),
    status        TEXT   NOT NULL CHECK (status IN ('active', 'suspended', 'pending')),
    password_hash TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL -- of the user in the directory
);

CREATE INDEX accounts_by_email ON accounts (email_key);

-- One row per signed-in device. A refresh token is derived from seed and generation (docs/adr/0005).
CREATE TABLE sessions (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    seed       TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- sealed: the private JWK, encrypted with KEY_ENCRYPTION_KEY. One key per state.
CREATE TABLE signing_keys (
    kid        TEXT   NOT NULL PRIMARY KEY,
    state      TEXT   NOT NULL UNIQUE CHECK (state IN ('next', 'current', 'previous')),
    sealed     TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
