-- +goose Up

-- The domains that the functions of an account may call.
CREATE TABLE domains (
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    id         TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    port       BIGINT NOT NULL, -- 0 is 80 and 443
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name, port)
);

-- What a version narrows them to, as a JSON list; '' does not narrow. It
-- stands behind the code, but an empty text is known from the row's head.
ALTER TABLE versions ADD COLUMN domains TEXT NOT NULL DEFAULT '';
