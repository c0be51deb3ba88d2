"""The run directory and its database, the only channel between those who train and those who watch.

`writer.py` and `recorder.py` write run.db, `reader.py` polls it, `past.py` and `final.py` tell how
a run stands without folding it, `snapshots.py` keeps the files of snapshots. A row that is written
stays; what a rewind undoes is told by a later row. Knows SQLite and no torch. Begin with
`schema.sql`, then `reader.py`.
"""
