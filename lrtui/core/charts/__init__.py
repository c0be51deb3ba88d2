"""Geometry of charts, shared by the screen, the printed report, the HTML page and the SVG.

Axes map steps, epochs and seconds to columns; limits, ticks, labels and marks follow from the data
alone. Nothing here draws or knows a terminal. Begin with `axes.py`.
"""
