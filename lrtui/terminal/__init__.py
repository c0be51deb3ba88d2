"""What a terminal can show and what its user has set: the palette of colours, and the settings
file.

Knows no race and no Textual.
"""
