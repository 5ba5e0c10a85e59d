-- works with: 0004
-- Pending accounts in the order in which the directory is asked about them. An hour after they were
-- made, where the first release wrote the row. In place of accounts_pending, which is dropped later.
CREATE INDEX accounts_due ON accounts ((COALESCE(check_at, created_at + 3600000)))
    WHERE status = 'pending';
