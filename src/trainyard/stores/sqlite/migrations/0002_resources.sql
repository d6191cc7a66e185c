-- Kubernetes-style objects. `revision` is that of the last write; bodies are JSON.
CREATE TABLE resources (
    collection TEXT NOT NULL,
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    body       BLOB NOT NULL,
    PRIMARY KEY (collection, namespace, name)
);

-- What happened, one line a write. AUTOINCREMENT: a revision is never given twice, though old lines are dropped.
CREATE TABLE resource_log (
    revision   INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    deed       TEXT NOT NULL,
    body       BLOB NOT NULL,
    before     BLOB,
    size       INTEGER NOT NULL
);
