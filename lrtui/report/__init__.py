"""What is left of a race: printed text, one HTML page, an SVG chart, CSV and JSON Lines. Knows no
screen.

Every number comes from the folded state or straight from the record; files are written whole or not
at all. Begin with `text.py` (printed) and `page.py` (HTML).
"""
