-- The run store, schema version 2 (kept in user_version). Written by the supervisor and its trainers, read by any viewer.

CREATE TABLE run (                    -- one row: what was asked for
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    created REAL NOT NULL,            -- seconds since 1970
    version TEXT NOT NULL,            -- of lrtui
    race    BLOB NOT NULL             -- core.spec.Race as JSON
);

CREATE TABLE events (                 -- append-only; a flush is one transaction
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    lane INTEGER NOT NULL,            -- index, or -1 for the whole run
    kind TEXT NOT NULL,               -- class name in core.events
    body BLOB NOT NULL                -- the event as MessagePack
);

CREATE INDEX turns ON events (lane, kind)  -- where a lane stands, without reading its history: see store/lane_summary.py
    WHERE kind IN ('Joined', 'Started', 'StatusChanged', 'RateChanged', 'Rewound', 'Ended');

CREATE TABLE commands (               -- what people said; acknowledged by the trainer that carried it out
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    lane    INTEGER NOT NULL,
    at      REAL NOT NULL,
    body    BLOB NOT NULL,            -- core.commands as MessagePack
    result  TEXT                      -- NULL: not yet carried out; then one line for people
);

CREATE INDEX pending ON commands (id) WHERE result IS NULL;

CREATE TABLE processes (              -- who works on this run; each beats once a second
    role    TEXT PRIMARY KEY,         -- 'crew', 'trainer 0', ...
    pid     INTEGER NOT NULL,
    started REAL NOT NULL,            -- when the process started, by no clock that can be set: see store/identity.py
    host    TEXT NOT NULL,
    beat    REAL NOT NULL             -- seconds since 1970
);
