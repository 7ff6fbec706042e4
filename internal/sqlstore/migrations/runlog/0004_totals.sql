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

-- Since when counters are complete. What happened before these times may be
-- removed, and is not read any more: hours and minutes before the first one, and
-- everything before the second.
CREATE TABLE totals_kept (
    id     INTEGER NOT NULL PRIMARY KEY,
    finely BIGINT  NOT NULL, -- a midnight
    at_all BIGINT  NOT NULL  -- a Monday
);
INSERT INTO totals_kept (id, finely, at_all) VALUES (1, 0, -259200000000000);

-- +goose StatementBegin
CREATE TRIGGER counters_added AFTER INSERT ON counters BEGIN
    INSERT INTO totals (width, start, account_id, function_id, succeeded, coding, platform, timeout, unknown, cold, run, cpu)
    SELECT w.width, NEW.minute - (NEW.minute + w.shift) % w.width, NEW.account_id, NEW.function_id,
        NEW.succeeded, NEW.coding, NEW.platform, NEW.timeout, NEW.unknown, NEW.cold, NEW.run, NEW.cpu
    FROM total_widths w WHERE true
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
    FROM total_widths w WHERE true
    ON CONFLICT (width, start, account_id, function_id) DO UPDATE SET
        succeeded = succeeded + excluded.succeeded, coding = coding + excluded.coding,
        platform = platform + excluded.platform, timeout = timeout + excluded.timeout,
        unknown = unknown + excluded.unknown, cold = cold + excluded.cold,
        run = run + excluded.run, cpu = cpu + excluded.cpu;
END;
-- +goose StatementEnd

-- What was counted before. Each width from the one below it: that is less to sort.
INSERT INTO totals (width, start, account_id, function_id, succeeded, coding, platform, timeout, unknown, cold, run, cpu)
SELECT 3600000000000, minute - minute % 3600000000000 AS hour, account_id, function_id,
    SUM(succeeded), SUM(coding), SUM(platform), SUM(timeout), SUM(unknown), SUM(cold), SUM(run), SUM(cpu)
FROM counters GROUP BY hour, account_id, function_id;

INSERT INTO totals (width, start, account_id, function_id, succeeded, coding, platform, timeout, unknown, cold, run, cpu)
SELECT 86400000000000, start - start % 86400000000000 AS day, account_id, function_id,
    SUM(succeeded), SUM(coding), SUM(platform), SUM(timeout), SUM(unknown), SUM(cold), SUM(run), SUM(cpu)
FROM totals WHERE width = 3600000000000 GROUP BY day, account_id, function_id;

INSERT INTO totals (width, start, account_id, function_id, succeeded, coding, platform, timeout, unknown, cold, run, cpu)
SELECT 604800000000000, start - (start + 259200000000000) % 604800000000000 AS week, account_id, function_id,
    SUM(succeeded), SUM(coding), SUM(platform), SUM(timeout), SUM(unknown), SUM(cold), SUM(run), SUM(cpu)
FROM totals WHERE width = 86400000000000 GROUP BY week, account_id, function_id;
