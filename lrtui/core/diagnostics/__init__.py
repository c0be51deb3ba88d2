"""Streaming rules about a lane's losses and step gains, and the verdict on its learning rate.

    loss_monitor    all rules over one lane; its parts are divergence, spikes, plateau, oscillation
    baseline        noise of the batches, reach and promise of the steps
    sampling        which steps are measured
    verdicts        one word per lane, compared with the other lanes
    rate_report, param_groups
                    the numbers behind a rate, explained; the names and ratios of param groups
    schedule_check, schedule_rules, schedule_case
                    warnings about a schedule before it runs

Each rule takes one step at a time in O(1) and gives the same answer whatever the blocks of steps;
none may look at a clock. Thresholds and their origin stand in `protocol/thresholds.py`. Begin with
`loss_monitor.py`, then `verdicts.py`.
"""
