-- +goose Up

-- What running functions leave behind: much is written, little is read, all
-- goes after some days. Every index here is paid for by each invocation, so
-- each one grows at its right edge: request ids are time-ordered (UUIDv7).
-- An index in random order would triple the cost of an insert.

-- The last number given to a log entry. Numbers are never used again, also
-- when the newest entries are removed, and entries become visible in their order.
CREATE TABLE log_sequence (
    id   INTEGER NOT NULL PRIMARY KEY,
    last BIGINT  NOT NULL
);
INSERT INTO log_sequence (id, last) VALUES (1, 0);

CREATE TABLE logs (
    seq         INTEGER NOT NULL PRIMARY KEY,
    account_id  TEXT    NOT NULL,
    function_id TEXT    NOT NULL,
    version     BIGINT  NOT NULL,
    request_id  TEXT    NOT NULL,
    time        BIGINT  NOT NULL,
    level       TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    extras      TEXT    NOT NULL
);
CREATE INDEX logs_by_function ON logs (function_id, seq, time);
CREATE INDEX logs_by_request ON logs (request_id) WHERE request_id <> '';
CREATE INDEX logs_by_time ON logs (time);

CREATE TABLE invocations (
    seq           INTEGER NOT NULL PRIMARY KEY,
    request_id    TEXT    NOT NULL,
    account_id    TEXT    NOT NULL,
    function_id   TEXT    NOT NULL,
    version       BIGINT  NOT NULL,
    event_id      TEXT    NOT NULL,
    caller        TEXT    NOT NULL,
    started_at    BIGINT  NOT NULL,
    wait          BIGINT  NOT NULL,
    cold          BOOLEAN NOT NULL,
    cold_start    BIGINT  NOT NULL,
    run           BIGINT  NOT NULL,
    cpu           BIGINT  NOT NULL,
    peak_memory   BIGINT  NOT NULL,
    payload_bytes BIGINT  NOT NULL,
    result_bytes  BIGINT  NOT NULL,
    outcome       TEXT    NOT NULL,
    code          TEXT    NOT NULL
);
CREATE INDEX invocations_by_function ON invocations (function_id, started_at);
CREATE INDEX invocations_by_request ON invocations (request_id);
CREATE INDEX invocations_by_time ON invocations (started_at);

CREATE TABLE counters (
    account_id  TEXT   NOT NULL,
    function_id TEXT   NOT NULL,
    minute      BIGINT NOT NULL,
    succeeded   BIGINT NOT NULL,
    coding      BIGINT NOT NULL,
    platform    BIGINT NOT NULL,
    timeout     BIGINT NOT NULL,
    unknown     BIGINT NOT NULL,
    cold        BIGINT NOT NULL,
    run         BIGINT NOT NULL,
    cpu         BIGINT NOT NULL,
    PRIMARY KEY (account_id, function_id, minute)
);
CREATE INDEX counters_by_time ON counters (minute, account_id);
