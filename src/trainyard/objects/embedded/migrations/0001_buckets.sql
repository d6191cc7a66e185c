-- Keys are UTF-8 bytes, so that their order is S3's. A bucket's current keys are one index, whatever else it keeps.
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    region TEXT NOT NULL,
    created REAL NOT NULL,
    versioning TEXT NOT NULL,
    tags TEXT NOT NULL
);

-- An identity is never used again: who read it before it went finds nothing rather than another's bytes.
CREATE TABLE contents (id INTEGER PRIMARY KEY AUTOINCREMENT);

-- The bytes of a content, in order: each extent is a range of a file (blob), or lies here (body), encrypted or as it is.
CREATE TABLE extents (
    content INTEGER NOT NULL REFERENCES contents (id),
    place INTEGER NOT NULL,
    part INTEGER NOT NULL,
    blob TEXT,
    body BLOB,
    start INTEGER NOT NULL,
    size INTEGER NOT NULL,
    cipher TEXT
);
CREATE UNIQUE INDEX extents_order ON extents (content, place);
CREATE INDEX extents_blob ON extents (blob) WHERE blob IS NOT NULL;

-- turn counts down from write to write of a key: newest first. current: what a plain read sees, or a delete marker.
CREATE TABLE versions (
    bucket INTEGER NOT NULL REFERENCES buckets (id),
    key BLOB NOT NULL,
    turn INTEGER NOT NULL,
    version TEXT NOT NULL,
    current INTEGER NOT NULL,
    marker INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified REAL NOT NULL,
    content INTEGER REFERENCES contents (id),
    facts TEXT NOT NULL,
    PRIMARY KEY (bucket, key, turn)
) WITHOUT ROWID;
CREATE UNIQUE INDEX versions_current ON versions (bucket, key) WHERE current AND NOT marker;

CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    bucket INTEGER NOT NULL REFERENCES buckets (id),
    key BLOB NOT NULL,
    initiated REAL NOT NULL,
    algorithm TEXT NOT NULL,
    facts TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_order ON uploads (bucket, key, initiated, id);
CREATE INDEX uploads_age ON uploads (initiated);

CREATE TABLE parts (
    upload TEXT NOT NULL REFERENCES uploads (id),
    number INTEGER NOT NULL,
    content INTEGER NOT NULL REFERENCES contents (id),
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified REAL NOT NULL,
    checksums TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
