-- +goose Up

-- The system of record. Times are nanoseconds since 1970 UTC, 0 is "never".
-- Keys begin with the account, so that one account's rows can never be
-- another's by mistake. Large columns stand last: SQLite reads a row from the
-- front, and what is not read costs nothing.

CREATE TABLE accounts (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    account_id    TEXT   NOT NULL REFERENCES accounts (id),
    id            TEXT   NOT NULL,
    login_name    TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    roles         TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, login_name)
);

CREATE TABLE tokens (
    id           TEXT   NOT NULL PRIMARY KEY,
    account_id   TEXT   NOT NULL REFERENCES accounts (id),
    name         TEXT   NOT NULL,
    hash         BLOB   NOT NULL UNIQUE,
    roles        TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE INDEX tokens_by_account ON tokens (account_id, created_at);

CREATE TABLE functions (
    account_id            TEXT   NOT NULL REFERENCES accounts (id),
    id                    TEXT   NOT NULL,
    name                  TEXT   NOT NULL,
    event_id              TEXT   NOT NULL,
    state                 TEXT   NOT NULL,
    latest_version        BIGINT NOT NULL,
    live_deployment_id    TEXT   NOT NULL,
    live_version          BIGINT NOT NULL,
    pending_deployment_id TEXT   NOT NULL,
    created_at            BIGINT NOT NULL,
    created_by            TEXT   NOT NULL,
    updated_at            BIGINT NOT NULL,
    updated_by            TEXT   NOT NULL,
    description           TEXT   NOT NULL,
    skills                TEXT   NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name)
);
CREATE INDEX functions_live ON functions (account_id, event_id, name)
    WHERE live_deployment_id <> '' AND state <> 'Marked Undeployed';
CREATE INDEX functions_busy ON functions (account_id, name) -- those under way are counted by it as well
    WHERE pending_deployment_id <> '' OR state = 'Marked Undeployed';

CREATE TABLE versions (
    account_id    TEXT   NOT NULL,
    function_id   TEXT   NOT NULL,
    number        BIGINT NOT NULL,
    id            TEXT   NOT NULL,
    language      TEXT   NOT NULL,
    contract      TEXT   NOT NULL,
    runtime       TEXT   NOT NULL,
    min_instances BIGINT NOT NULL, -- also in settings; here for the index
    settings      TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    created_by    TEXT   NOT NULL,
    environment   TEXT   NOT NULL,
    code          TEXT   NOT NULL,
    files         TEXT   NOT NULL,
    PRIMARY KEY (account_id, function_id, number),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, function_id) REFERENCES functions (account_id, id) ON DELETE CASCADE
);
CREATE INDEX versions_kept_warm ON versions (account_id, function_id, number)
    WHERE min_instances > 0;

CREATE TABLE deployments (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT, -- decides between equal times
    account_id     TEXT   NOT NULL,
    function_id    TEXT   NOT NULL,
    id             TEXT   NOT NULL,
    version_id     TEXT   NOT NULL,
    version_number BIGINT NOT NULL,
    state          TEXT   NOT NULL,
    bundle_id      TEXT   NOT NULL,
    error_code     TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    created_by     TEXT   NOT NULL,
    updated_at     BIGINT NOT NULL,
    deployed_at    BIGINT NOT NULL,
    undeployed_at  BIGINT NOT NULL,
    error_message  TEXT   NOT NULL,
    problems       TEXT   NOT NULL,
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, function_id) REFERENCES functions (account_id, id) ON DELETE CASCADE
);
CREATE INDEX deployments_by_function ON deployments (account_id, function_id, created_at, seq);
CREATE INDEX deployments_by_bundle ON deployments (account_id, bundle_id)
    WHERE bundle_id <> '';

CREATE TABLE bundles (
    account_id    TEXT   NOT NULL REFERENCES accounts (id),
    id            TEXT   NOT NULL,
    format        TEXT   NOT NULL,
    contract      TEXT   NOT NULL,
    cache_runtime TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    idle_since    BIGINT NOT NULL, -- since when no deployment uses it; 0 while one does
    code          BLOB   NOT NULL,
    code_cache    BLOB   NOT NULL,
    source_map    BLOB   NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX bundles_idle ON bundles (account_id, idle_since)
    WHERE idle_since > 0;
