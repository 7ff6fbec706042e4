-- +goose Up

-- What users agreed to is shown to them: from where, and when it was last used.
ALTER TABLE grants ADD COLUMN from_addr    TEXT   NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN last_used_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX grants_by_user ON grants (account_id, user_id);
