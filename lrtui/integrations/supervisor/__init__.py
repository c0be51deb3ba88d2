"""The supervisor of scripts: starts one process tree for each lane, watches over them, tells their
ends. Imports no torch.

- `supervisor.py` is its process; the loop is that of lrtui/training/supervisor.py. Begin here.
- `pool.py` is the queue and the scripts that run; `script.py` one of them, and how it is stopped.
- `process.py` is a tree of processes, `environment.py` the variables that it is given.
- `router.py` executes commands that the scripts do not, `ends.py` records how lanes end.
"""
