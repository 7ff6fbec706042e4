-- +goose Up

-- The audit trail. Ids ascend in order of writing and are never used again.
CREATE TABLE activities (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id  TEXT   NOT NULL REFERENCES accounts (id),
    at          BIGINT NOT NULL,
    actor_id    TEXT   NOT NULL,
    actor       TEXT   NOT NULL,
    from_addr   TEXT   NOT NULL,
    request_id  TEXT   NOT NULL,
    noun        TEXT   NOT NULL,
    action      TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    before_json TEXT   NOT NULL,
    after_json  TEXT   NOT NULL
);
CREATE INDEX activities_by_account ON activities (account_id, id);
CREATE INDEX activities_by_subject ON activities (account_id, subject, id);
CREATE INDEX activities_by_age ON activities (at);
