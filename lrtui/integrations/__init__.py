"""Training scripts of the user, and other people's frameworks, as lanes of a race.

A script runs unchanged in a process of its own. `inject/sitecustomize.py` is put on its path, and
hooks torch's optimizers once the script imports torch; from then on the process records its lane
and reads the lane's commands, like a trainer.

- `watch.py` is the lane of this process: `lrtui.watch`, its log, its dial. Begin here.
- `optimizer_hooks.py` sees and scales the rates of any optimizer.
- `loss_capture.py` sees the losses.
- `ranks.py` brings dial, pause and stop to all ranks of a distributed script at the same step.
- `script_process.py` starts and ends a script, `script_supervisor.py` those of a race.
- `huggingface.py`, `lightning.py`, ... are callbacks of frameworks, thin layers on `watch.py`.
"""
