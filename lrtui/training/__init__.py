"""Trains lanes: tasks, the one training loop, trainers and the supervisor. Knows torch, core and
store, never a screen.

Begin with `loop.py`: a lane is one generator of events, `train_lane`. It trains a `session.py`, is
recorded by `step_recorder.py`, measured by `gauge.py` and saved by `snapshot.py`. A supervisor
(`supervisor.py`) starts trainers (`trainer.py`), which run lanes in time slices (`lane_runner.py`).

Invariants: a lane is bit-identical to the same loop run alone; measuring changes nothing; the
recorded rate is the one that the optimizer's pre-hook sees; NaN is data; the loop never waits for
the store or the disk; no result depends on the clock.
"""
