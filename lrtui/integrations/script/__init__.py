"""The process of a script: hooks on its optimizers, and the lane that it records and obeys.

- `attach.py` hooks a script that lrtui started, right after it imports torch. Begin here.
- `lane.py` is the lane of this process: it is told of each step. `record.py` is its output,
  `controls.py` its dial, pause and stop.
- `optimizer_hooks.py` sees and scales the rates of any optimizer; `roster.py` gives them columns.
- `loss_capture.py` sees the losses.
- `ranks.py` brings dial, pause and stop to all ranks of a distributed script at the same step.
"""
