-- +goose Up

ALTER TABLE clients ADD COLUMN invocations_per_second BIGINT NOT NULL DEFAULT 0; -- 0: no limit of its own

-- Invocations of an account in a month, which outlive the counters.
CREATE TABLE usage (
    account_id  TEXT   NOT NULL REFERENCES accounts (id),
    month       BIGINT NOT NULL, -- its first instant
    invocations BIGINT NOT NULL,
    PRIMARY KEY (account_id, month)
);
CREATE INDEX usage_by_month ON usage (month);
