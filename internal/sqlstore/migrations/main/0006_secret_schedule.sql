-- +goose Up

-- Named values of an account, sealed: only the master key outside of the
-- database opens them.
CREATE TABLE secrets (
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    name       TEXT   NOT NULL,
    type       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    key_id     BIGINT NOT NULL, -- of the master key that sealed it
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT   NOT NULL,
    sealed     BLOB   NOT NULL,
    PRIMARY KEY (account_id, name)
);
CREATE INDEX secrets_by_key ON secrets (key_id);

CREATE TABLE schedules (
    account_id      TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    function_id     TEXT    NOT NULL,
    cron            TEXT    NOT NULL,
    time_zone       TEXT    NOT NULL,
    active          BOOLEAN NOT NULL,
    next_at         BIGINT  NOT NULL, -- 0 while it is not active
    last_at         BIGINT  NOT NULL,
    last_request_id TEXT    NOT NULL,
    last_failed     BOOLEAN NOT NULL,
    created_at      BIGINT  NOT NULL,
    created_by      TEXT    NOT NULL,
    updated_at      BIGINT  NOT NULL,
    updated_by      TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    headers         TEXT    NOT NULL,
    payload         TEXT    NOT NULL,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, function_id) REFERENCES functions (account_id, id) ON DELETE CASCADE
);
CREATE INDEX schedules_by_function ON schedules (account_id, function_id);
CREATE INDEX schedules_due ON schedules (next_at)
    WHERE next_at > 0;

-- The primary key is what makes a due time run once.
CREATE TABLE schedule_runs (
    account_id  TEXT   NOT NULL,
    schedule_id TEXT   NOT NULL,
    due_at      BIGINT NOT NULL,
    state       TEXT   NOT NULL,
    request_id  TEXT   NOT NULL,
    claimed_at  BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    code        TEXT   NOT NULL,
    message     TEXT   NOT NULL,
    PRIMARY KEY (account_id, schedule_id, due_at),
    FOREIGN KEY (account_id, schedule_id) REFERENCES schedules (account_id, id) ON DELETE CASCADE
);
CREATE INDEX schedule_runs_open ON schedule_runs (due_at)
    WHERE state = 'claimed' OR state = 'started';
