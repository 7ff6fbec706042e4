-- +goose Up

-- Programs registered with the authorization server. A token request names a
-- client and no account, so ids are unique everywhere.
CREATE TABLE clients (
    id            TEXT   NOT NULL PRIMARY KEY,
    account_id    TEXT   NOT NULL REFERENCES accounts (id),
    name          TEXT   NOT NULL,
    public        BIGINT NOT NULL, -- 0 or 1, as all flags
    disabled      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    created_by    TEXT   NOT NULL,
    updated_at    BIGINT NOT NULL,
    updated_by    TEXT   NOT NULL,
    last_used_at  BIGINT NOT NULL,
    grant_types   TEXT   NOT NULL,
    scopes        TEXT   NOT NULL,
    secrets       TEXT   NOT NULL, -- hashes
    redirect_uris TEXT   NOT NULL,
    UNIQUE (account_id, name)
);

-- What users allowed clients. Codes and refresh tokens carry the id.
CREATE TABLE grants (
    id              TEXT   NOT NULL PRIMARY KEY,
    account_id      TEXT   NOT NULL REFERENCES accounts (id),
    client_id       TEXT   NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    user_id         TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    revoked_at      BIGINT NOT NULL,
    code_expires_at BIGINT NOT NULL,
    code_used_at    BIGINT NOT NULL,
    redirect_given  BIGINT NOT NULL,
    code_hash       BLOB   NOT NULL,
    refresh_hash    BLOB   NOT NULL,
    key_thumbprint  TEXT   NOT NULL,
    scopes          TEXT   NOT NULL,
    challenge       TEXT   NOT NULL,
    nonce           TEXT   NOT NULL,
    redirect_uri    TEXT   NOT NULL
);
CREATE INDEX grants_by_client ON grants (client_id);
CREATE INDEX grants_by_expiry ON grants (expires_at);
