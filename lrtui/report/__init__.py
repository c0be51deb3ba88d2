"""Reports on a run: printed text, one HTML page, an SVG chart, CSV and JSON Lines. Knows no screen.

Every number comes from the folded state or straight from the record; files are written whole or not
at all. Begin to read with `text.py` (printed) and `page.py` (HTML); `export.py` streams the record,
`repeat.py` says how to repeat the race. Only `text.py` imports plotext.
"""
