-- Jobs: the record as JSON, beside it the columns that lists filter and sort by.
CREATE TABLE jobs (
    account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
    uid TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    status TEXT NOT NULL, secondary TEXT NOT NULL,
    created_at REAL NOT NULL, modified_at REAL NOT NULL, ended_at REAL,
    failure_reason TEXT, instance TEXT NOT NULL, image TEXT NOT NULL,
    unfinished INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;
CREATE INDEX jobs_by_creation ON jobs (account, region, created_at, name);
CREATE INDEX jobs_by_status ON jobs (account, region, status, name);
CREATE INDEX jobs_unfinished ON jobs (unfinished) WHERE unfinished = 1;

-- One revision over the whole store; readers follow it from where they were.
CREATE TABLE changes (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL
);

-- The ledger, keyed on the job's uid: a name used again inherits nothing.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL, at REAL NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, warning INTEGER NOT NULL
);
CREATE INDEX events_by_job ON events (uid, id);
CREATE TABLE series (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL, host TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (uid, host, name)
);
CREATE TABLE points (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL, at REAL NOT NULL, value REAL NOT NULL, step INTEGER
);
CREATE INDEX points_by_series ON points (series, at, id);
CREATE TABLE scanned (
    uid TEXT NOT NULL, stream TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (uid, stream)
) WITHOUT ROWID;
