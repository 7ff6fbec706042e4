-- +goose Up

-- The last number given to a call, as for log entries.
CREATE TABLE call_sequence (
    id   INTEGER NOT NULL PRIMARY KEY,
    last BIGINT  NOT NULL
);
INSERT INTO call_sequence (id, last) VALUES (1, 0);

-- Outbound calls of functions.
CREATE TABLE calls (
    id          INTEGER NOT NULL PRIMARY KEY,
    account_id  TEXT    NOT NULL,
    function_id TEXT    NOT NULL,
    version     BIGINT  NOT NULL,
    request_id  TEXT    NOT NULL,
    at          BIGINT  NOT NULL,
    host        TEXT    NOT NULL,
    port        BIGINT  NOT NULL,
    method      TEXT    NOT NULL,
    status      BIGINT  NOT NULL,
    sent        BIGINT  NOT NULL,
    received    BIGINT  NOT NULL,
    took        BIGINT  NOT NULL,
    outcome     TEXT    NOT NULL,
    detail      TEXT    NOT NULL
);
CREATE INDEX calls_by_function ON calls (function_id, id, at);
CREATE INDEX calls_by_request ON calls (request_id) WHERE request_id <> '';
CREATE INDEX calls_by_time ON calls (at);
