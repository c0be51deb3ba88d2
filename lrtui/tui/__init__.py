"""The screen: Textual, drawn from plain values. Knows core and store, never torch."""
