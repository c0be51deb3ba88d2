"""Plain values and pure functions: standard library, msgspec and numpy only.

Rooms, from top to bottom; each imports only from those below it:

    charts       curves before drawing: quantities, axes, limits, labels, marks
    results      results of a race: standings, sentences, filters, suggestions of the lr finder
    diagnostics  the rules that watch a lane's losses and step gains, and its verdict
    state        the fold: events applied to the state of a race and of its lanes
    protocol     messages between processes: events, commands, findings, the launch protocol
    scenario     the race as it was asked for: TOML files, lanes, optimizers, schedules
    series       growing arrays and averages over steps; knows no lane
    (files here) errors, text, numbers, TOML and files

Must not know torch, a screen, a database or a process. Begin with `protocol/events.py`, then
`state/race_state.py`.
"""
