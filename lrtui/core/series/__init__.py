"""Arrays over steps that grow, are thinned and are drawn in windows. Knows numpy, and no lane.

Begin with `series.py`; `pyramid.py` holds the minima and maxima that make a window of millions of
steps cheap.
"""
