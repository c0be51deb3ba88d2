"""Training scripts of the user, and other people's frameworks, as lanes of a race.

A script runs unchanged in a process of its own. `inject/sitecustomize.py` is put on its path, and
hooks torch's optimizers once the script imports torch; from then on the process records its lane
and reads the lane's commands, like a trainer. Its environment says which lane: LRTUI_RUN (the run's
folder), LRTUI_LANE (index), LRTUI_SEED (absent if it is not seeded), LRTUI_PATH (folders in which a
foreign interpreter finds lrtui and what it needs).

- `watch.py` is `lrtui.watch`; `attach.py` hooks a script that lrtui started. Begin here.
- `script_lane.py` is the lane of this process, `controls.py` its dial, pause and stop.
- `optimizer_hooks.py` sees and scales the rates of any optimizer.
- `loss_capture.py` sees the losses.
- `ranks.py` brings dial, pause and stop to all ranks of a distributed script at the same step.
- `script_supervisor.py` supervises the scripts of a race: `script_pool.py` starts them in turn,
  `supervised_script.py` stops one, `script_process.py` is its tree of processes.
- `huggingface.py`, `lightning.py`, ... are callbacks of frameworks, thin layers on `watch.py`.
"""
