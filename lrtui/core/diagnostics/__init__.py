"""Streaming rules about a lane's losses and step gains, and the verdict about its learning rate.

Each rule takes one step at a time in O(1) and gives the same answer whatever the blocks that steps
arrive in. No rule looks at a clock. Thresholds and where each comes from stand in
`protocol/thresholds.py`. Begin with `loss_monitor.py`, then `verdicts.py`.
"""
