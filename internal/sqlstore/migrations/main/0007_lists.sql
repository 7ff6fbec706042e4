-- +goose Up

-- Lists of an account that may be long, by what they can be sorted by.
CREATE INDEX functions_by_creation ON functions (account_id, created_at, id);
CREATE INDEX functions_by_update ON functions (account_id, updated_at, id);
CREATE INDEX deployments_by_account ON deployments (account_id, created_at, seq);
