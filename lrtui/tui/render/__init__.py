"""Arithmetic that turns values into cells. Knows no widget, no app and no store."""
