"""Curves on a screen, before any drawing: which values, which axes, which marks.

    metric_series   the quantities of a lane as numbers by step, smoothed on demand
    axes, labels    the x axes (steps, epochs, seconds) and their tick labels
    axis_limits, autoscale, rounding
                    limits of the y axes, from the values that must be visible
    marks           alerts, spikes, rewinds and turns of the dial on a curve

Must not know colours, cells or widgets, or write to a lane except for its `derived` curves. Begin
with `metric_series.py`, then `axes.py`.
"""
