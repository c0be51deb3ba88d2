"""Growing arrays over steps that are thinned and read in windows.

    series        a column of float32 by step; a window of any range costs O(width)
    pyramid       the minima and maxima that make windows of millions of steps cheap
    gaps          runs of NaN and infinities
    ema           debiased moving averages
    array_buffer  arrays that grow at their end
    sparse        numbers at some steps only

Knows numpy, and no lane, event or file. Every result depends on the values alone, not on the blocks
that they came in. Begin with `series.py`.
"""
