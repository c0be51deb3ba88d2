"""Properties of the terminal and its user's settings: the palette of colours, and the settings
file.

Knows no race and no Textual. Begin to read with `settings.py`; `palette.py` holds tiers of
characters and colours, and each lane's colour for every kind of terminal.
"""
