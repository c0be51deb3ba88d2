"""The state of a race as a fold over its events.

    race_state    `apply`, the only function that changes the state of a race
    lane_state    one lane, composed of the parts below
    lifecycle     status and end of a lane: what a rewind undoes, what comes too late to count
    columns, losses, rates, updates, measurements, epochs, logged, clock, throughput
                  parts of a lane, each with its own fold and `cut(step)` for a rewind
    status        the statuses of a lane and their groups
    memory_budget thins the longest series once all exceed the budget

Must not know where events come from or how the state is shown. Begin with `race_state.py`, then
`lane_state.py`.
"""
