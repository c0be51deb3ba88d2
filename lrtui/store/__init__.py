"""The run directory and its database run.db: the only channel between trainers and viewers.

    run_dir, database    directories of runs; opening run.db, its schema and its header
    writer, recorder     append events and fetch commands; the recorder does it on a thread
    reader               polls the events that others write
    lane_summary, record_stream, record_index
                         lanes without their history; the record for exports; rows read again
    snapshots, identity  files of snapshots; processes by pid and start time

A written row stays; a later row (Rewound) says what it replaces. Knows SQLite and the protocol;
must not know torch, a screen or a training loop. Begin with `database.py`, then `writer.py` and
`reader.py`.
"""
