"""Drawing: pure functions from plain values to cells of a canvas. Knows no widget and no app.

- `canvas.py` holds the cells; `styles.py` and `glyphs.py` give roles their colours and characters.
- `pane.py` draws one lane; `chart.py`, `raster.py`, `axis.py`, `x_labels.py`, `marks.py`,
  `crosshair.py` its curves; `facts.py`, `digits.py`, `sprite.py` the rest of it.
- `overlay.py`, `filmstrip.py`, `logs.py`, `differences.py` draw what can replace the panes.
- `panels.py`, `standings.py`, `machine_strip.py` draw the parts around them; `card.py` and
  `finder.py` the picker's card and the finder's screen.

Begin to read with `canvas.py` and `pane.py`. Everything here is called at each frame: no function
may read a file, the clock or the record.
"""
