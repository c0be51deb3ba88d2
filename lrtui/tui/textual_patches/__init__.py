"""Replacements for internals of Textual 8.2. Check each when Textual is raised.

- `compositor.py` replaces `textual._compositor.ChopsUpdate.render_segments`; uses its `spans`,
  `chops`, `chop_ends`. Check: `tests/benchmarks/terminal.py bytes` (twice the bytes if it is not
  in effect), and whether Textual itself now cuts a changed row on its left side.
- `escape_key.py` wraps `textual._xterm_parser.XTermParser.feed` and `_sequence_to_key_events`; uses
  `_timeout_time`, `tick`, `ANSI_SEQUENCES_KEYS`. Check: `tests/tui/test_escape_key.py`.
- `signals.py` relies on `asyncio` and termios, and on the driver's `attrs_before` (in `app.py`).
  Check: leaving by SIGTERM and SIGHUP in `tests/test_terminal.py`.

Internals used elsewhere: `CanvasWidget._queued` (the driver's `_writer_thread._queue`),
`LrtuiApp` (`_exception`, `_driver`, `console._color_system`), `key_names` (`_character_to_key`),
`screens/manual.py` (`MarkdownTable`).
"""
