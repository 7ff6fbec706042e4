-- +goose Up

-- People: more of accounts and users, and the sessions of those who signed in.

ALTER TABLE accounts ADD COLUMN generation TEXT   NOT NULL DEFAULT 'V2';
ALTER TABLE accounts ADD COLUMN disabled   BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN limits     TEXT   NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;

ALTER TABLE users ADD COLUMN login_key            TEXT   NOT NULL DEFAULT ''; -- the login name in lower case
ALTER TABLE users ADD COLUMN external_id          TEXT   NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN disabled             BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN must_change_password BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN last_login_at        BIGINT NOT NULL DEFAULT 0;
UPDATE users SET login_key = lower(login_name);
CREATE UNIQUE INDEX users_by_login ON users (account_id, login_key)
    WHERE login_key <> '';
CREATE UNIQUE INDEX users_by_external_id ON users (account_id, external_id)
    WHERE external_id <> '';

ALTER TABLE tokens ADD COLUMN user_id TEXT NOT NULL DEFAULT ''; -- '' belongs to the account
CREATE INDEX tokens_by_user ON tokens (account_id, user_id)
    WHERE user_id <> '';

CREATE TABLE sessions (
    id           TEXT   NOT NULL PRIMARY KEY,
    account_id   TEXT   NOT NULL,
    user_id      TEXT   NOT NULL,
    bearer_hash  BLOB   NOT NULL UNIQUE,
    cookie_hash  BLOB   NOT NULL UNIQUE,
    from_addr    TEXT   NOT NULL,
    agent        TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    FOREIGN KEY (account_id, user_id) REFERENCES users (account_id, id) ON DELETE CASCADE
);
CREATE INDEX sessions_by_user ON sessions (account_id, user_id, created_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_use ON sessions (last_used_at);
