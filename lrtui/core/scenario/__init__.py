"""What was asked for: a scenario file, its lanes, optimizers and schedules, as plain values.

A mistake in a file is refused with file, key and what is expected. Nothing here runs the user's
code or imports torch. Begin with `spec.py` (the values), then `scenario_file.py` (the reader).
"""
