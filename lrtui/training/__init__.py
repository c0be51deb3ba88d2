"""The training side: tasks, the one training loop, trainers and the supervisor ("crew"). Knows
torch, never the screen.

A supervisor (`supervisor.py`) starts trainers (`trainer.py`), each of which runs its lanes in turns
(`turn.py`). A lane is one generator of events (`loop.py`), measured by `probe.py` and `gauge.py`,
saved by `snapshot.py`. Invariants: a lane is bit-identical to the same loop run alone; measuring
changes nothing; the loop never waits for the store or the disk; no conclusion depends on the clock.
Begin with `loop.py`.
"""
