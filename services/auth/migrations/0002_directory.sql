-- What auth knows of the users in the directory (services/users), with or without credentials here:
-- a projection, kept up by the directory's events. Of two words about a user the one with the higher
-- version counts (0: of a time before there were versions here). A user who was deleted stays for a
-- while, without an address, so that late news does not bring them back.
-- The same address may stand in two rows for a moment: the directory is what keeps it unique.
CREATE TABLE directory (
    user_id    TEXT   NOT NULL PRIMARY KEY,
    email      TEXT   NOT NULL,
    email_key  TEXT   NOT NULL,
    role       TEXT   NOT NULL CHECK (role IN ('user', 'admin')),
    status     TEXT   NOT NULL CHECK (status IN ('active', 'suspended', 'deleted')),
    version    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL, -- of the user in the directory
    learned_at BIGINT NOT NULL  -- when this was written
);

CREATE INDEX directory_by_email ON directory (email_key);
CREATE INDEX directory_deleted ON directory (learned_at) WHERE status = 'deleted';

INSERT INTO directory (user_id, email, email_key, role, status, version, updated_at, learned_at)
SELECT user_id, email, email_key, role, status, 0, updated_at, updated_at
FROM accounts WHERE status <> 'pending';

-- When to ask the directory whether the user of a pending account is there: the registration may
-- have broken off. NULL: the release before this one wrote the row. From here on the columns email,
-- role and updated_at of accounts are written for that release only: a later migration drops them.
-- email_key is read of pending accounts alone.
ALTER TABLE accounts ADD COLUMN check_at BIGINT;
CREATE INDEX accounts_pending ON accounts (check_at) WHERE status = 'pending';
