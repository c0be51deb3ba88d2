"""The other end of a run: starts its supervisor, follows its record, sends commands, plans the lr
finder.

Used by the screen, by `--plain` and by `lrtui send`; imports neither torch nor Textual. Begin with
`follower.py`.
"""
