"""Training scripts of the user, and other people's frameworks, as lanes of a race.

A script runs unchanged in a process of its own. `inject/sitecustomize.py` is put on its path, and
hooks torch's optimizers once the script imports torch; from then on the process records its lane
and reads the lane's commands, like a trainer. Its environment says which lane: LRTUI_RUN (the run's
folder), LRTUI_LANE (index), LRTUI_SEED (absent if it is not seeded), LRTUI_PATH (folders in which a
foreign interpreter finds lrtui and what it needs).

- `watch.py` is `lrtui.watch`. Begin here.
- `script/` is what runs in the script's process.
- `supervisor/` starts the scripts of a race, and ends them.
- `huggingface.py`, `lightning.py`, ... are callbacks of frameworks, thin layers on `watch.py`.
"""
