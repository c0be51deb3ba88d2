"""The client side of a run: starts its supervisor, follows its record, sends commands, plans the lr
finder.

Used by the screen, by `--plain` and by `lrtui send`; imports neither torch nor Textual.

- `launcher.py` starts a supervisor and speaks with it until its race runs.
- `follower.py` polls the record and folds it into a state. Begin here.
- `commands.py` sends commands and reports their replies.
- `lr_finder.py` plans the races of the learning-rate finder and follows them.
"""
