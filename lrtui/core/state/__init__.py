"""The state of a race as a fold over its events.

`race_state.apply` is the only way in which an event changes what a viewer knows. Values of steps
are kept in series within a memory budget. Nothing here knows where events come from. Begin with
`race_state.py`, then `lane_state.py`.
"""
