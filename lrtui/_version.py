"""The version of this program, read by all who write it down."""

__version__ = "0.1.0"
