"""The exception that ends a script. Knows no torch, so that a script may name it before any import
of torch."""

from __future__ import annotations


class Stopped(KeyboardInterrupt):
    """Raised in a script to end it: by a command, at its budget, or at NaN if the race says so."""
