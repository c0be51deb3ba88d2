"""The screen: shows a run from its record, and sends the user's commands.

Holds the Textual app (`app.py`), its screens (`screens/`), pure drawing on a canvas of cells
(`render/`), and between them what is computed without Textual: `view.py` (the user's choices),
`axis_fit.py`, `layout.py`, `race_painter.py` (view and state to cells), `redraw_policy.py` (when
to draw what). `textual_patches/` replaces internals of Textual.

Must not know: torch, training, `cli`, `plain`, `report`. It talks to a race only through
`client/`. Of Textual only `app.py`, `canvas_widget.py`, `screens/` and `textual_patches/` use
widgets.

Begin with `screens/race.py`, then `race_painter.py`.
"""
