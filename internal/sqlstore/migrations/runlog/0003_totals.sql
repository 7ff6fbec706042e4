-- +goose Up

-- The counters of longer stretches, so that a report of a month reads some
-- thousand rows and not each minute. Triggers keep them, in the transaction of
-- the minute itself, whoever writes that: an older Convoke on this schema too.
CREATE TABLE total_widths (
    width BIGINT NOT NULL PRIMARY KEY, -- in ns
    shift BIGINT NOT NULL              -- 1970 is so long after a stretch began
);
INSERT INTO total_widths (width, shift) VALUES
    (3600000000000, 0),                -- an hour
    (86400000000000, 0),               -- a day, UTC
    (604800000000000, 259200000000000); -- a week from Monday on; 1970 began on a Thursday

-- In order of time, so that what is written lies together.
CREATE TABLE totals (
    width       BIGINT NOT NULL,
    start       BIGINT NOT NULL,
    account_id  TEXT   NOT NULL,
    function_id TEXT   NOT NULL,
    succeeded   BIGINT NOT NULL,
    coding      BIGINT NOT NULL,
    platform    BIGINT NOT NULL,
    timeout     BIGINT NOT NULL,
    unknown     BIGINT NOT NULL,
    cold        BIGINT NOT NULL,
    run         BIGINT NOT NULL,
    cpu         BIGINT NOT NULL,
    PRIMARY KEY (width, start, account_id, function_id)
) WITHOUT ROWID;

-- Since when counters are complete. What happened before the first two times may
-- be removed, and is not read any more: hours and minutes before the first one,
-- and everything before the second. Totals hold what happened from the third on;
-- minutes before it are still to be added to them, in small steps, since that
-- takes long and a start must not. It ends where time begins here.
CREATE TABLE totals_kept (
    id     INTEGER NOT NULL PRIMARY KEY,
    finely BIGINT  NOT NULL, -- a midnight
    at_all BIGINT  NOT NULL, -- a Monday
    whole  BIGINT  NOT NULL  -- an hour
);
INSERT INTO totals_kept (id, finely, at_all, whole)
SELECT 1, -259200000000000, -259200000000000,
    COALESCE(MAX(minute) - MAX(minute) % 3600000000000 + 3600000000000, -259200000000000) FROM counters;

-- +goose StatementBegin
CREATE TRIGGER counters_added AFTER INSERT ON counters BEGIN
    INSERT INTO totals (width, start, account_id, function_id, succeeded, coding, platform, timeout, unknown, cold, run, cpu)
    SELECT w.width, NEW.minute - (NEW.minute + w.shift) % w.width, NEW.account_id, NEW.function_id,
        NEW.succeeded, NEW.coding, NEW.platform, NEW.timeout, NEW.unknown, NEW.cold, NEW.run, NEW.cpu
    FROM total_widths w WHERE NEW.minute >= (SELECT whole FROM totals_kept WHERE id = 1)
    ON CONFLICT (width, start, account_id, function_id) DO UPDATE SET
        succeeded = succeeded + excluded.succeeded, coding = coding + excluded.coding,
        platform = platform + excluded.platform, timeout = timeout + excluded.timeout,
        unknown = unknown + excluded.unknown, cold = cold + excluded.cold,
        run = run + excluded.run, cpu = cpu + excluded.cpu;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER counters_raised AFTER UPDATE ON counters BEGIN
    INSERT INTO totals (width, start, account_id, function_id, succeeded, coding, platform, timeout, unknown, cold, run, cpu)
    SELECT w.width, NEW.minute - (NEW.minute + w.shift) % w.width, NEW.account_id, NEW.function_id,
        NEW.succeeded - OLD.succeeded, NEW.coding - OLD.coding, NEW.platform - OLD.platform, NEW.timeout - OLD.timeout,
        NEW.unknown - OLD.unknown, NEW.cold - OLD.cold, NEW.run - OLD.run, NEW.cpu - OLD.cpu
    FROM total_widths w WHERE NEW.minute >= (SELECT whole FROM totals_kept WHERE id = 1)
    ON CONFLICT (width, start, account_id, function_id) DO UPDATE SET
        succeeded = succeeded + excluded.succeeded, coding = coding + excluded.coding,
        platform = platform + excluded.platform, timeout = timeout + excluded.timeout,
        unknown = unknown + excluded.unknown, cold = cold + excluded.cold,
        run = run + excluded.run, cpu = cpu + excluded.cpu;
END;
-- +goose StatementEnd
