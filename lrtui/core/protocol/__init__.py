"""What crosses process boundaries: events of lanes, commands to them, findings, and the launch
protocol.

Every type is a frozen msgspec Struct; names and tags are stored in runs and stay readable. Begin
with `events.py`.
"""
